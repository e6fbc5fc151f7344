"""Figures of a release: one sample over its anchor, and an overview."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from bridge.config import ANCHOR_VOLTAGES
from dataset_card.contract.schema import CHANNELS, REUSE_ABOVE_SOH, T
from dataset_card.errors import MagBridgeError
from dataset_card.running.plotting import BAND, LINE, MARK, PAGE, canvas, printed, save
from dataset_card.storage.arrays import signals

ANCHOR_COLOURS = ("#440154", "#3b528b", "#21918c", "#5ec962", "#d9b800")


@printed
def sample(table: pa.Table, sample_id: str, out: Path) -> None:
    """Plot one sample's six channels over the mean and std of the clean or Regime-B rows of its nearest anchor.

    Args:
        table: A release's rows.
        sample_id: The sample.
        out: The figure to write; its suffix picks the format.

    Raises:
        MagBridgeError: If the release has no such sample.
    """
    import difflib

    ids = table["sample_id"].to_pylist()
    if sample_id not in ids:
        near = [f"; did you mean {one}?" for one in difflib.get_close_matches(sample_id, ids, n=1)]
        raise MagBridgeError(f"sample {sample_id!r} is not in the release{''.join(near)}")
    row = table.slice(ids.index(sample_id), 1)
    label = {name: row[name][0].as_py() for name in ("voltage", "soc", "soh", "nearest_anchor", "anomaly_subtype")}
    origin = np.array(table["anomaly_origin"].to_pylist())
    anchor = np.array(table["nearest_anchor"].to_pylist())
    reference = signals(
        table.filter(pa.array((origin != "synthetic_sensor_perturbation") & (anchor == label["nearest_anchor"])))
    )
    soh = "unknown" if label["soh"] is None else f"{label['soh']:.3f}"
    title = (
        f"{sample_id}: {label['voltage']:.3f} V, SOC {label['soc']:.0f} %, SOH {soh}, anomaly: "
        f"{label['anomaly_subtype']}"
    )
    around = f"mean and std of the {len(reference):,} rows nearest {label['nearest_anchor']:.2f} V"
    figure, axes = canvas(2, 3, (PAGE, 3.9))
    t = np.linspace(0, 1, T)
    channels = zip(axes.flat, CHANNELS, signals(row)[0].T, reference.mean(axis=0).T, reference.std(axis=0).T)
    for axis, name, x, mean, std in channels:
        axis.fill_between(t, mean - std, mean + std, color=BAND, linewidth=0, label=around)
        axis.plot(t, mean, color=LINE, linewidth=0.8)
        axis.plot(t, x, color=MARK, linewidth=1.1, label="sample")
        axis.set_title(name)
    for axis in axes[:, 0]:
        axis.set_ylabel("nT")
    for axis in axes[1]:
        axis.set_xlabel("normalised scan time")
    figure.suptitle(title)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    save(figure, out)


@printed
def overview(table: pa.Table, manifest: dict, out: Path) -> None:
    """Plot a release: rows by kind, SOH of the clean cells, and the mean signal at each anchor.

    Args:
        table: The release's rows.
        manifest: The release's manifest.
        out: The figure to write; its suffix picks the format.
    """
    origin = np.array(table["anomaly_origin"].to_pylist())
    anchor = np.array(table["nearest_anchor"].to_pylist())
    soh = table["soh"].to_numpy()[origin == "none"]
    x = signals(table)

    figure, axes = canvas(2, 4, (PAGE, 4.2))
    counts = manifest["counts"]["anomaly_subtype"]
    axis = axes[0, 0]
    # Names go above their bars, inside the panel: next to the bars they would take up its width.
    for row, (name, count) in enumerate(counts.items()):
        axis.barh(row, count, height=0.4, color=BAND)
        axis.text(0, row - 0.3, f"{name.replace('_', ' ')}  {count:,}", fontsize=6.5, va="bottom")
    axis.set_ylim(len(counts) - 0.5, -0.9)
    axis.set_yticks([])
    axis.set_xticks([0, max(counts.values())], ["0", f"{max(counts.values()):,}"])
    axis.set_title("rows by anomaly subtype")

    axis = axes[1, 0]
    heights, *_ = axis.hist(soh, bins=40, color=BAND)
    axis.axvline(REUSE_ABOVE_SOH, color=MARK, linewidth=1)
    axis.set_ylim(0, 1.2 * heights.max())
    place = REUSE_ABOVE_SOH, 1.2 * heights.max()
    axis.annotate(f"reuse above {REUSE_ABOVE_SOH} ", place, fontsize=6.5, va="top", ha="right", color=MARK)
    axis.set(title="SOH of clean rows", xlabel="SOH", ylabel="rows")

    t = np.linspace(0, 1, T)
    for c, name in enumerate(CHANNELS):
        axis = axes[c % 2, 1 + c // 2]
        for voltage, colour in zip(ANCHOR_VOLTAGES, ANCHOR_COLOURS):
            chosen = (anchor == voltage) & (origin != "synthetic_sensor_perturbation")
            if chosen.any():
                axis.plot(t, x[chosen, :, c].mean(axis=0), color=colour, label=f"{voltage:.2f} V")
        axis.set_title(f"mean {name}, nT")
        if c % 2:
            axis.set_xlabel("normalised scan time")
    figure.legend(*axes[0, 1].get_legend_handles_labels(), loc="outside lower center", ncols=5, title="nearest anchor")
    figure.suptitle(
        f"{manifest['name']} {manifest['version']} ({manifest['bridge_version']}): {table.num_rows:,} rows, "
        f"digest {manifest['dataset_digest'][:12]}"
    )
    save(figure, out)
