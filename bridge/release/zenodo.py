"""The published release: its bundle on Zenodo, downloaded once, checked, and compared with the plan."""

from __future__ import annotations

import shutil
from pathlib import Path

from bridge.plan import make_plan
from bridge.release.bundle import import_bundle
from bridge.upstream import files
from bridge.upstream.download import download
from bridge.upstream.published import read_pulse_table
from dataset_card.errors import MagBridgeError
from dataset_card.storage.files import replacing
from dataset_card.storage.reading import read_table, scalars

RECORD = "20260147"
BUNDLE_URL = f"https://zenodo.org/records/{RECORD}/files/magbridge_battery_v1_0_release.zip"
BRING_IT = "get the bundle yourself and turn it into a release with `python -m bridge import`"


def fetch_release(folder: Path, url: str = BUNDLE_URL) -> list[str]:
    """Download the published bundle, check it against its own checksums and write it as a release folder.

    Args:
        folder: The release folder to write. A partial download is kept next to it and resumed.
        url: Address of the bundle.

    Returns:
        Differences from the plan, one sentence each (see `compare_with_plan`).

    Raises:
        MagBridgeError: If the host cannot be reached, or what it sent is damaged or not a bundle; no folder is written.
    """
    kept = folder.parent / "bundle.zip.partial"
    # No checksum of the archive is published: the checksums inside it are checked when it is imported.
    with replacing(folder.parent / "download") as scratch:
        scratch.mkdir()
        download(url, scratch / "bundle.zip", kept, BRING_IT)
        try:
            import_bundle(scratch / "bundle.zip", folder, replace=True)
        except MagBridgeError as error:
            raise MagBridgeError(
                f"the bundle from {url} is not usable and was removed; try again, which downloads it again: {error}"
            ) from error
    shutil.rmtree(folder.parent / "download", ignore_errors=True)
    return compare_with_plan(folder)


def compare_with_plan(folder: Path) -> list[str]:
    """Compare ids and labels of a release with the plan made from the published pulse table.

    Args:
        folder: A release folder.

    Returns:
        One sentence for each difference, or for what could not be compared; empty if all is equal.

    Raises:
        MagBridgeError: If the pulse table on this machine is damaged.
    """
    pulse_table = files.find(files.PULSE_TABLE)
    if pulse_table is None:
        return [
            "ids were not compared with the plan: the published pulse table is missing (get it with `python -m bridge "
            "upstream --fetch`)"
        ]
    planned = make_plan(read_pulse_table(pulse_table)).rows.set_index("sample_id")
    rows = scalars(read_table(folder)).set_index("sample_id")
    planned = planned.astype(object).where(planned.notna(), None)
    extra, missing = rows.index.difference(planned.index), planned.index.difference(rows.index)
    differences = []
    if len(extra):
        differences.append(f"{len(extra)} of {len(rows)} ids are not in the plan, such as {extra[0]}")
    if len(missing):
        differences.append(f"{len(missing)} of the plan's {len(planned)} ids are missing, such as {missing[0]}")
    if not differences and list(rows.index) != list(planned.index):
        differences.append("the ids match the plan, but in another order")
    shared = planned.index.intersection(rows.index)
    for name in planned.columns.tolist():
        ours, theirs = planned.loc[shared, name], rows.loc[shared, name]
        off = (ours != theirs) & ~(ours.isna() & theirs.isna())
        if off.any():
            first = off.idxmax()
            found = f"{theirs[first]!r}, but {ours[first]!r} in the plan ({first})"
            differences.append(f"{name} differs in {int(off.sum())} rows, such as {found}")
    return differences
