"""Files and folders that appear whole or not at all, and one parser for each external format."""
