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


@pytest.fixture(scope="session")
def tiny_release(tmp_path_factory) -> Path:
    """A whole release of 2,280 rows from the simulated upstream, two variants a record; tests leave it as it is."""
    from bridge import release
    from bridge.upstream import resolve

    folder = tmp_path_factory.mktemp("tiny") / release.NAME
    release.build(folder, resolve("simulated"), variants=2)
    return folder


def pytest_collection_modifyitems(items):
    """A test that asks for the upstream folder is marked `upstream`."""
    for item in items:
        if "upstream_dir" in getattr(item, "fixturenames", ()):
            item.add_marker("upstream")
