"""What commands share: the terminal, signals, jobs, the Hub, plots."""
