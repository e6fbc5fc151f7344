"""Files and folders that are written completely or not at all, and one parser for each external format."""
