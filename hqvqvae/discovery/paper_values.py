"""What the paper prints, "HQ-VQVAE for Unsupervised Battery Precursor Discovery": captions, and its tables' values.

They are the only measured figures in this package that are typed in. Table 11, long, is `data/paper_table_11.csv`.
"""

from __future__ import annotations

from importlib import resources

import pandas as pd

PAPER = "HQ-VQVAE for Unsupervised Battery Precursor Discovery"

CAPTIONS = {
    "Table 1": "Feature list used in the model",
    "Table 2": "Generalization summary on unseen cells",
    "Table 3": "Final input feature set used for HQ-VQVAE training",
    "Table 4": "Train/test split details (cells and samples)",
    "Table 5": "Baseline methods and key configuration differences",
    "Table 6": "JSON schema for LLM-assisted interpretation",
    "Table 7": "Training hyperparameters for HQ-VQVAE",
    "Table 8": "Dataset summary (batteries, discharge segments, cycle range, and measurement channels)",
    "Table 9": "Compute environment used for experiments",
    "Table 10": "Precursor robustness metrics across unseen batteries (activation statistics)",
    "Table 11": "Consolidated LLM-assisted interpretations for VQ codes",
    "Table 12": "JSON schema used for LLM-assisted interpretation outputs",
    "Figure 1": "Compact pipeline diagram for unsupervised precursor discovery",
    "Figure 2": "Lead-time between first activation of the precursor code and degradation onset",
    "Figure 3": "Heatmap of discrete code assignments across cells and cycles",
    "Figure 4": "Relationship between early activation of Code 10 and a late-stage degradation proxy",
    "Figure 5": "HQ-VQVAE architecture with a quantum bottleneck",
    "Figure 6": "Discrete code assignment over cycles for an example cell",
    "Figure 7": "Cross-cell evaluation protocol",
    "Figure 8": "Cross-cell split with explicit no-leakage constraints",
}

TABLE_1 = pd.DataFrame(
    [
        ("t_total", "Total discharge duration", "s", "Time-domain summary"),
        ("v_min", "Min voltage during discharge", "V", "Voltage statistics"),
        ("v_max", "Max voltage during discharge", "V", "Voltage statistics"),
        ("v_mean", "Mean voltage during discharge", "V", "Voltage statistics"),
        ("i_mean", "Mean current during discharge", "A", "Current statistics"),
        ("temp_mean", "Mean temperature", "degC", "Thermal condition"),
        ("dv_dt_mean", "Mean voltage slope", "V/s", "Degradation-sensitive dynamics"),
        ("dv_dt_min", "Min voltage slope", "V/s", "Early anomaly indicator"),
        ("ah_throughput", "Acc. charge throughput", "Ah", "Usage / aging proxy"),
        ("capacity", "Estimated capacity", "Ah", "Health indicator"),
        ("cycle_index", "Cycle index", "Integer", "Aging timeline proxy"),
    ],
    columns=["feature", "description", "unit", "why it matters"],
)
TABLE_2 = pd.DataFrame(
    [
        (10, 10, 10, 0.49, 0.65),
        (28, 11, 7, 0.53, 0.52),
        (23, 13, 10, 0.46, 0.50),
        (6, 8, 8, 0.28, 0.44),
        (26, 8, 7, 0.33, 0.38),
        (20, 7, 6, -0.10, 0.34),
        (22, 6, 6, 0.28, 0.32),
        (15, 15, 11, 0.06, 0.28),
        (3, 16, 7, 0.32, 0.26),
        (0, 13, 9, 0.14, 0.25),
    ],
    columns=["code", "cells present", "cells early", "Pearson", "Spearman"],
)
TABLE_2_CELLS = 18  # after a quality filter
TABLE_3 = pd.DataFrame(
    [
        ("t_total", "Time", "Total discharge time per cycle"),
        ("v_min", "Voltage", "Minimum voltage during discharge"),
        ("v_max", "Voltage", "Maximum voltage during discharge"),
        ("v_mean", "Voltage", "Mean voltage during discharge"),
        ("i_mean", "Current", "Mean current during discharge"),
        ("temp_mean", "Temp.", "Mean temperature during discharge"),
        ("dv_dt_mean", "Derived", "Mean voltage slope"),
        ("dv_dt_min", "Derived", "Minimum voltage slope"),
        ("ah_throughput", "Usage", "Cumulative Ah throughput"),
        ("capacity", "Capacity", "Discharge capacity per cycle"),
    ],
    columns=["feature", "category", "description"],
)  # all used
TABLE_4: dict[str, float] = {
    "cells in training": 19,
    "mean training segments": 1424,
    "fewest training segments": 1331,
    "most training segments": 1474,
    "cells held out": 1,
    "mean held-out segments": 75,
    "fewest held-out segments": 25,
    "most held-out segments": 168,
    "cells in all": 20,
    "segments in all": 1499,
}
TABLE_5 = pd.DataFrame(
    [
        ("HQ-VQVAE (ours)", "PQC + VQ codebook", "Discrete codes + quantum bottleneck", "Main method"),
        ("VQ-VAE (no PQC)", "No PQC, same VQ", "Discrete codes only", "Ablation"),
        ("AE/VAE (continuous)", "Continuous latent", "No discrete codes", "Baseline"),
        ("PCA + K-means", "Linear + clustering", "Handcrafted pipeline", "Baseline"),
        ("Random codes", "Random assignment", "Sanity check", "Control"),
    ],
    columns=["method", "core idea", "key difference", "role"],
)
TABLE_6 = {
    "short_name": "short descriptive code name",
    "mechanism_hypotheses": "candidate mechanisms + reasoning",
    "curve_morphology": "qualitative shape descriptors",
    "expected_symptoms": "measurable indicators",
    "suggested_followup_tests": "diagnostic experiments",
    "confidence": "low/medium/high",
}
TABLE_7: dict[str, tuple[str, str]] = {  # what it is called here, and what the paper prints
    "Latent dimension (z)": ("latent_dim", "8"),
    "Codebook size (K)": ("codebook_size", "32"),
    "Commitment loss (beta)": ("commitment_cost", "0.25"),
    "PQC qubits": ("n_qubits", "8"),
    "PQC depth": ("n_layers", "2"),
    "Quantum encoding": ("encoding", "Angle"),
    "Measurement": ("readout", "Pauli-Z"),
    "Optimizer": ("optimizer", "Adam"),
    "Learning rate": ("learning_rate", "0.001"),
    "Weight decay": ("weight_decay", "0.0"),
    "Batch size": ("batch_size", "256"),
    "Epochs": ("epochs", "50"),
    "Gradient clipping": ("clipping", "None"),
    "Scheduler": ("scheduler", "None"),
    "Input features": ("feature_names", "v_min, v_max, v_mean, i_mean, T_mean, dV/dt, ..."),
    "Normalization": ("normalization", "Z-score"),
    "Train/Test protocol": ("protocol", "Cross-cell"),
}
TABLE_8 = pd.DataFrame(
    [
        ("FY08Q4", "BatteryAgingARC_FY08Q4", 4, 636, "0-167"),
        ("25-28", "BatteryAgingARC_25_26_27_28_P1", 4, 112, "0-27"),
        ("45-48", "BatteryAgingARC_45_46_47_48", 4, 288, "0-71"),
        ("49-52", "BatteryAgingARC_49_50_51_52", 4, 100, "0-24"),
        ("53-56", "BatteryAgingARC_53_54_55_56", 4, 363, "0-102"),
    ],
    columns=["cohort", "dataset", "batteries", "segments", "cycles"],
)  # channels of all: V, I, T, dV/dt stats
TABLE_9 = {
    "OS": "Linux-6.14.0-29-generic-x86_64-with-glibc2.29",
    "Python": "3.8.10",
    "pandas": "1.4.1",
    "numpy": "1.24.4",
    "torch": "2.4.1+cu121",
    "cuda_available": "True",
    "gpu_name": "NVIDIA RTX A5000",
    "cuda_version": "12.1",
    "timestamp": "2026-01-29T09:26:23",
}
TABLE_10 = {
    "precursor_code": 10,
    "early_ratio": 0.3,
    "cells_total": 20,
    "cells_present": 12,
    "early_rate_mean": 0.048558,
    "early_rate_std": 0.052101,
}
TABLE_12 = pd.DataFrame(
    [
        ("code_id", "int", "yes"),
        ("short_name", "string", "yes"),
        ("mechanism_hypotheses", "list", "yes"),
        ("mechanism_hypotheses[].name", "string", "yes"),
        ("mechanism_hypotheses[].electrochemical_story", "string", "yes"),
        ("mechanism_hypotheses[].why_this_code_triggers", "string", "yes"),
        ("mechanism_hypotheses[].expected_symptoms", "list", "no"),
        ("curve_morphology", "object", "yes"),
        ("curve_morphology.key_shapes", "list", "no"),
        ("limitations", "list", "no"),
        ("suggested_followup_tests", "list", "no"),
        ("confidence", "string", "yes"),
    ],
    columns=["field", "type", "required"],
)


def table_11() -> pd.DataFrame:
    """The paper's interpretations of all 32 codes: `code`, `key shapes`, `hypotheses`, `confidence`."""
    with resources.as_file(resources.files("hqvqvae") / "data" / "paper_table_11.csv") as path:
        return pd.read_csv(path, dtype=str, keep_default_na=False)
