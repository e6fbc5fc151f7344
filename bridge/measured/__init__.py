"""A laboratory's own cells: labels, scans, paired measurements, and comparison with the bridge."""
