"""Readers of the published files: PulseBat's workbook and MagBridge-Battery's statistics."""

from pathlib import Path

import numpy as np

from bridge.config import ANCHOR_VOLTAGES
from bridge.errors import refusal
from bridge.v1.inputs import AnchorStatistics, PulseTable
from bridge.v1.latent_space import LATENT, LatentSpace
from bridge.v1.reservoir import EMBEDDING
from dataset_card.contract.schema import CHANNELS, U_FEATURES, T
from dataset_card.storage.archives import read_npz

POSITIONS = 41
"""Number of scan positions at each anchor."""


PULSEBAT_SHEET = "SOC ALL"
U_COLUMNS = tuple(f"U{i}" for i in range(1, U_FEATURES + 1))


def read_anchor_statistics(path: Path) -> AnchorStatistics:
    """Read `anchor_stats.npz`: mean and std trajectories at the five anchors, (5, 100, 6) each, in nT."""
    keys = [f"v{v:.2f}".replace(".", "_") for v in ANCHOR_VOLTAGES]
    shape = (T, len(CHANNELS))
    shapes = {f"{key}__{kind}_traj": shape for key in keys for kind in ("mean", "std")}
    arrays = read_npz(path, shapes)
    mean, std = (np.stack([arrays[f"{key}__{kind}_traj"] for key in keys]) for kind in ("mean", "std"))
    return AnchorStatistics(np.array(ANCHOR_VOLTAGES), mean, std)


def read_pulse_table(path: Path) -> PulseTable:
    """Read sheet `SOC ALL` of a PulseBat workbook: each cell at 10 SOC levels, in the sheet's order.

    The contents are not checked here: the workbooks are pinned by SHA-256, which `files.find` and `files.fetch` check.

    Returns:
        Records with SOC in percent, SOH as a fraction and voltages U1..U21 in V.
    """
    import pandas

    frame = pandas.read_excel(path, sheet_name=PULSEBAT_SHEET)
    return PulseTable(
        cell=frame["No."].astype(int).astype(str).to_numpy(dtype=object),
        soc=frame["SOC"].to_numpy(float),
        soh=frame["SOH"].to_numpy(float),
        u=np.ascontiguousarray(frame[list(U_COLUMNS)].to_numpy(float)),
    )


def surrogate_scans(statistics: AnchorStatistics, positions: int = POSITIONS) -> np.ndarray:
    """Generate surrogate scans that exactly reproduce each anchor's mean and std trajectory.

    They are used if the raw scans are missing. Each scan is the mean trajectory plus the std trajectory times one
    standard normal number per channel; the numbers are standardised over the positions (release notes,
    moment-matched surrogates).

    Args:
        statistics: Mean and std trajectories at the anchors.
        positions: Number of scans per anchor.

    Returns:
        (A * positions, T, C) scans in nT, ordered by anchor.
    """
    rng = np.random.default_rng(0)
    scans = []
    for mean, std in zip(statistics.mean, statistics.std):
        g = rng.standard_normal((positions, 1, mean.shape[1]))
        g = (g - g.mean(axis=0)) / g.std(axis=0)
        scans.append(mean + std * g)
    return np.concatenate(scans)


def read_osf_scans(path: Path, statistics: AnchorStatistics) -> np.ndarray:
    """Read a user's `osf_sequences.npz` and check it against the anchor statistics.

    Args:
        path: The npz file, with an array `X_seq` of shape (205, 100, 6) in nT, ordered by anchor.
        statistics: The published statistics that the scans must reproduce.

    Returns:
        (205, 100, 6) scans in nT.

    Raises:
        MagBridgeError: If the file cannot be read, or if its scans have another shape, mean or std.
    """
    shape = (len(statistics.voltages) * POSITIONS, *statistics.mean.shape[1:])
    scans = read_npz(path, {"X_seq": shape})["X_seq"]
    found = AnchorStatistics.from_scans(scans, statistics.voltages)
    # The statistics were computed from these scans, so only rounding may differ.
    scale = np.abs(statistics.mean).max()
    for kind in ("mean", "std"):
        gap = np.abs(getattr(found, kind) - getattr(statistics, kind))
        if gap.max() > 1e-6 * scale:
            anchor, step, channel = np.unravel_index(gap.argmax(), gap.shape)
            at = {"voltage": statistics.voltages[anchor], "channel": CHANNELS[channel], "step": step}
            raise refusal("other_scans", path=path, kind=kind, gap=gap.max(), **at)
    return scans


def read_embeddings(path: Path) -> np.ndarray:
    """Read `qrec_embeddings.npz`: (205, 171) reservoir embeddings of the raw scans."""
    shape = (len(ANCHOR_VOLTAGES) * POSITIONS, EMBEDDING)
    return read_npz(path, {"embeddings": shape})["embeddings"]


def read_latent_space(path: Path) -> LatentSpace:
    """Read `lda_fit.npz`: the published scaler, LDA components and state direction."""
    wide, names = (EMBEDDING,), ("scaler_mean", "scaler_scale", "lda_components", "lda_xbar", "d_state_lda_unit")
    shapes = (wide, wide, (EMBEDDING, LATENT), wide, (LATENT,))
    return LatentSpace(*read_npz(path, dict(zip(names, shapes))).values())
