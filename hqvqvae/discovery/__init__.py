"""The discovery protocol: which codes occur early, and whether they predict degradation."""
