"""Shared fixtures: where the published upstream files are, if anywhere."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def upstream_dir() -> Path:
    """Folder of the published upstream files; skips, with the reason, where there is none."""
    folder = os.environ.get("MAGBRIDGE_UPSTREAM")
    if not folder:
        pytest.skip("$MAGBRIDGE_UPSTREAM is not set: the published upstream files are not at hand")
    return Path(folder)


def pytest_collection_modifyitems(items):
    """A test that asks for the upstream folder is marked `upstream`."""
    for item in items:
        if "upstream_dir" in getattr(item, "fixturenames", ()):
            item.add_marker("upstream")
