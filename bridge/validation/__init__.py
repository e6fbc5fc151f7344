"""Gates between a bridge and its users: invariants, distributions, ablations, row promises, leakage."""
