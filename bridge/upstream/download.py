"""One download over HTTP: resumed where an earlier one was cut off, bounded, its trouble told in one line.

pooch, which knows this machine's cache folder, starts a download over each time and lets `requests` speak for itself:
too little for a bundle of a hundred megabytes.
"""

import contextlib
import os
import sys
from pathlib import Path

from bridge.errors import refusal
from dataset_card.errors import innermost

DOWNLOAD_TIMEOUT_S = 10.0
"""Seconds without an answer after which a host counts as unreachable."""

MAX_DOWNLOAD_BYTES = 2**32
"""More than any file of this data: a host that sends more sends something else, without end perhaps."""


def download(url: str, out: Path, partial: Path, otherwise: str, timeout_s: float = DOWNLOAD_TIMEOUT_S) -> None:
    """Download a file. What arrived of one that is cut off is kept, and the next call asks for the rest.

    Args:
        url: Its address.
        out: Where it goes; a place of this process's own, so that two downloads never write one file.
        partial: Where what arrived is kept, on the same file system.
        otherwise: What a user without network can do, for the error.
        timeout_s: Seconds without an answer before giving up.

    Raises:
        MagBridgeError: The host cannot be reached, answers with an error, or sends too much.
        OSError: It cannot be written.
    """
    with contextlib.suppress(FileNotFoundError):
        os.replace(partial, out)
    try:
        _request(url, out, otherwise, timeout_s)
    except BaseException:  # a full disk and Ctrl-C, too, keep what arrived
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
