"""The definition of a MagBridge-Battery release: row schema, configurations and the documents rendered from them."""
