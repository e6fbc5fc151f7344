"""The commands: thin wrappers around public functions. Heavy imports wait until a command runs."""
