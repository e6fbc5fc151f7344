"""What a MagBridge-Battery release is: row schema, configurations and the documents rendered from them."""
