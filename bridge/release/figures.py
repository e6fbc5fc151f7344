"""Figures of a release: one sample over its anchor, and an overview."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from bridge.config import ANCHOR_VOLTAGES
from dataset_card.arrays import signals
from dataset_card.errors import MagBridgeError
from dataset_card.plotting import BAND, LINE, MARK, canvas, save
from dataset_card.schema import CHANNELS, REUSE_ABOVE_SOH, T

ANCHOR_COLOURS = ("#440154", "#3b528b", "#21918c", "#5ec962", "#d9b800")


def sample(table: pa.Table, sample_id: str, out: Path) -> None:
    """Plots one sample's six channels over the mean and std of the clean or Regime-B rows nearest its anchor.

    Args:
        table: A release's rows.
        sample_id: The sample.
        out: The figure to write; its suffix picks the format.

    Raises:
        MagBridgeError: No such sample.
    """
    import difflib

    ids = table["sample_id"].to_pylist()
    if sample_id not in ids:
        near = difflib.get_close_matches(sample_id, ids, n=1)
        raise MagBridgeError(
            f"sample {sample_id!r} is not in the release" + (f"; did you mean {near[0]}?" if near else "")
        )
    row = table.slice(ids.index(sample_id), 1)
    label = {name: row[name][0].as_py() for name in ("voltage", "soc", "soh", "nearest_anchor", "anomaly_subtype")}
    origin = np.array(table["anomaly_origin"].to_pylist())
    anchor = np.array(table["nearest_anchor"].to_pylist())
    reference = signals(
        table.filter(pa.array((origin != "synthetic_sensor_perturbation") & (anchor == label["nearest_anchor"])))
    )
    mean, std = reference.mean(axis=0), reference.std(axis=0)
    x = signals(row)[0]

    figure, axes = canvas(2, 3, (12, 6))
    t = np.linspace(0, 1, T)
    for c, (name, axis) in enumerate(zip(CHANNELS, axes.flat)):
        axis.fill_between(
            t, mean[:, c] - std[:, c], mean[:, c] + std[:, c], color=BAND, label="mean and std of its anchor's rows"
        )
        axis.plot(t, mean[:, c], color=LINE, lw=1)
        axis.plot(t, x[:, c], color=MARK, lw=1.2, label="sample")
        axis.set_title(name, fontsize=10)
        axis.set_ylabel("nT")
        axis.set_xlabel("normalised scan time")
    axes.flat[0].legend(fontsize=8, loc="best")
    soh = "unknown" if label["soh"] is None else f"{label['soh']:.3f}"
    figure.suptitle(
        f"{sample_id}   {label['voltage']:.3f} V, SOC {label['soc']:.0f} %, SOH {soh}, "
        f"anomaly: {label['anomaly_subtype']}, anchor {label['nearest_anchor']:.2f} V ({len(reference)} rows)",
        fontsize=11,
    )
    save(figure, out)


def overview(table: pa.Table, manifest: dict, out: Path) -> None:
    """Plots a release: rows by kind, SOH of the clean cells, and the mean signal at each anchor.

    Args:
        table: A release's rows.
        manifest: Its manifest.
        out: The figure to write; its suffix picks the format.
    """
    origin = np.array(table["anomaly_origin"].to_pylist())
    anchor = np.array(table["nearest_anchor"].to_pylist())
    soh = table["soh"].to_numpy()[origin == "none"]
    x = signals(table)

    figure, axes = canvas(2, 4, (15, 7))
    counts = manifest["counts"]["anomaly_subtype"]
    axis = axes[0, 0]
    bars = axis.barh(list(counts)[::-1], list(counts.values())[::-1], color=BAND)
    axis.bar_label(bars, padding=2, fontsize=8)
    axis.set_xlim(0, max(counts.values()) * 1.2)
    axis.set_title("rows by anomaly subtype", fontsize=10)
    axis.tick_params(axis="y", labelsize=8)

    axis = axes[1, 0]
    axis.hist(soh, bins=40, color=BAND)
    axis.axvline(REUSE_ABOVE_SOH, color=MARK, lw=1.2, label=f"reuse above {REUSE_ABOVE_SOH}")
    axis.set_title("SOH of clean rows", fontsize=10)
    axis.set_xlabel("SOH")
    axis.set_ylabel("rows")
    axis.legend(fontsize=8)

    t = np.linspace(0, 1, T)
    for c, name in enumerate(CHANNELS):
        axis = axes[c % 2, 1 + c // 2]
        for voltage, colour in zip(ANCHOR_VOLTAGES, ANCHOR_COLOURS):
            chosen = (anchor == voltage) & (origin != "synthetic_sensor_perturbation")
            if chosen.any():
                axis.plot(t, x[chosen, :, c].mean(axis=0), color=colour, lw=1.2, label=f"{voltage:.2f} V")
        axis.set_title(f"mean {name} by nearest anchor", fontsize=10)
        axis.set_xlabel("normalised scan time")
        axis.set_ylabel("nT")
    axes[0, 1].legend(fontsize=8)
    figure.suptitle(
        f"{manifest['name']} {manifest['version']} ({manifest['bridge_version']}): {table.num_rows} rows, "
        f"digest {manifest['dataset_digest'][:12]}",
        fontsize=11,
    )
    save(figure, out)
