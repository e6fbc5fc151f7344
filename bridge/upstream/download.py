"""Download one file over HTTP: resumable, with a size limit and one-line errors.

pooch restarts an interrupted download from the beginning and passes on the errors of `requests`, which is not good
enough for a bundle of a hundred megabytes.
"""

import contextlib
import os
import sys
from pathlib import Path

from bridge.errors import refusal
from dataset_card.errors import innermost

DOWNLOAD_TIMEOUT_S = 10.0
"""Seconds without a response after which a host counts as unreachable."""

MAX_DOWNLOAD_BYTES = 2**32
"""Size limit, larger than any file of this data: a host that sends more is sending something else."""


def download(url: str, out: Path, partial: Path, otherwise: str, timeout_s: float = DOWNLOAD_TIMEOUT_S) -> None:
    """Download a file; keep the received part of an interrupted download, and resume it on the next call.

    Args:
        url: Address of the file.
        out: Path to write to, private to this process so that two downloads never write the same file.
        partial: Path that keeps the received part, on the same file system.
        otherwise: What a user without network can do, for the error.
        timeout_s: Seconds without a response before giving up.

    Raises:
        MagBridgeError: If the host cannot be reached, responds with an error, or sends too much.
        OSError: If the file cannot be written.
    """
    with contextlib.suppress(FileNotFoundError):
        os.replace(partial, out)
    try:
        _request(url, out, otherwise, timeout_s)
    except BaseException:  # keep the received part after a full disk or Ctrl-C, too
        with contextlib.suppress(FileNotFoundError):
            os.replace(out, partial)
        raise


def _request(url: str, out: Path, otherwise: str, timeout_s: float) -> None:
    import requests

    have = out.stat().st_size if out.exists() else 0
    try:
        headers = {"Range": f"bytes={have}-"} if have else {}
        with requests.get(url, stream=True, timeout=timeout_s, headers=headers) as response:
            if response.status_code != 416:  # 416: nothing is left to send
                response.raise_for_status()
                _save(response, out, have if response.status_code == 206 else 0)
    except requests.HTTPError as error:
        answer = {"status": error.response.status_code, "reason": error.response.reason}
        raise refusal("host_answered", url=url, otherwise=otherwise, **answer) from error
    except requests.RequestException as error:
        raise refusal("host_unreachable", url=url, reason=innermost(error), otherwise=otherwise) from error


def _save(response, out: Path, have: int) -> None:
    from tqdm import tqdm

    length = response.headers.get("Content-Length", "")
    total = have + int(length) if length.isdigit() else None
    shown = {"unit": "B", "unit_scale": True, "desc": out.stem, "disable": not sys.stderr.isatty()}
    with open(out, "ab" if have else "wb") as file, tqdm(total=total, initial=have, **shown) as bar:
        for chunk in response.iter_content(1 << 16):
            have += file.write(chunk)
            if have > MAX_DOWNLOAD_BYTES:
                raise refusal("host_endless", url=response.url, most=MAX_DOWNLOAD_BYTES / 1e9)
            bar.update(len(chunk))
