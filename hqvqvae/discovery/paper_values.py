"""The figures that the paper prints, "HQ-VQVAE for Unsupervised Battery Precursor Discovery", by its own tables.

They are the only measured figures in this package that are typed in. What is not here we do not have.
"""

from __future__ import annotations

import pandas as pd

PAPER = "HQ-VQVAE for Unsupervised Battery Precursor Discovery"

TABLE_2 = pd.DataFrame(
    [(10, 10, 10, 0.49, 0.65), (28, 11, 7, 0.53, 0.52), (23, 13, 10, 0.46, 0.50)],
    columns=["code", "cells present", "cells early", "Pearson", "Spearman"],
)  # the first three of ten codes; the last has Spearman 0.25
TABLE_2_CELLS = 18  # after a quality filter
TABLE_4: dict[str, float | str] = {
    "latent_dim": 8,
    "codebook_size": 32,
    "commitment_cost": 0.25,
    "n_qubits": 8,
    "n_layers": 2,
    "readout": "Z",
    "learning_rate": 1e-3,
    "batch_size": 256,
    "epochs": 50,
}
TABLE_8: dict[str, float] = {
    "cells in training": 19,
    "cells held out": 1,
    "segments in all": 1499,
    "fewest training segments": 1331,
    "most training segments": 1474,
    "fewest held-out segments": 25,
    "most held-out segments": 168,
    "mean held-out segments": 75,
}
TABLE_10 = {
    "precursor_code": 10,
    "early_ratio": 0.3,
    "cells_total": 20,
    "cells_present": 12,
    "early_rate_mean": 0.0486,
    "early_rate_std": 0.0521,
}
