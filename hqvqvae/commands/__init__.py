"""The commands, thin calls to public functions. Heavy imports wait until a command runs."""
