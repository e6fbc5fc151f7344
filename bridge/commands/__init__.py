"""The commands of `python -m bridge`."""
