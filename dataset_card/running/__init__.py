"""Code shared by the commands: the terminal, signals, jobs, the Hub, plots."""
