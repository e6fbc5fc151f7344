"""What of the upstream is on this machine, what is missing, and how to get it."""

from __future__ import annotations

from pathlib import Path

from bridge.upstream import files
from dataset_card.errors import MagBridgeError


def status(upstream_dir: Path | None = None) -> list[dict]:
    """The state of every upstream file.

    Args:
        upstream_dir: Folder of published files; `$MAGBRIDGE_UPSTREAM` by default.

    Returns:
        One entry a file: `file`, `meaning`, `licence`, `state` (`ok`, `missing`, `damaged` or `unchecked`),
        `path`, `detail`.
    """
    entries = []
    for file in files.PUBLISHED:
        entry = {"file": file.path, "meaning": file.meaning, "licence": file.licence, "path": None}
        try:
            path = files.find(file, upstream_dir)
        except MagBridgeError as error:
            if not any((folder / file.path).is_file() for _, folder in files.local_folders(upstream_dir)):
                raise
            entries.append({**entry, "state": "damaged", "detail": str(error)})
            continue
        if path is None:
            entries.append({**entry, "state": "missing", "detail": f"published at {file.url}"})
        else:
            entries.append({**entry, "state": "ok", "path": str(path), "detail": f"SHA-256 {file.sha256}"})
    return [*entries, _osf_entry(upstream_dir)]


def _osf_entry(upstream_dir: Path | None) -> dict:
    entry = {
        "file": files.OSF_SCANS,
        "meaning": "205 raw scans, optional: surrogates stand in for them",
        "licence": "none to redistribute: bring your own",
        "path": None,
    }
    for _, folder in files.local_folders(upstream_dir):
        if (folder / files.OSF_SCANS).is_file():
            return {
                **entry,
                "state": "unchecked",
                "path": str(folder / files.OSF_SCANS),
                "detail": "checked against the anchor statistics when used (--upstream osf)",
            }
    return {**entry, "state": "missing", "detail": "made from the OSF archive, DOI 10.17605/OSF.IO/CW8ZV"}
