"""A laboratory's own cells: labels, scans, paired measurements, and what they say of the bridge."""
