"""Analysis of scores: by severity, subtype and SOH, with learning curves, leakage and occlusion."""
