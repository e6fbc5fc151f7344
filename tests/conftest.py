"""Shared fixtures: caches of the tests' own, the published upstream files if they are at hand, releases."""

import os
import tempfile
from pathlib import Path

import pytest
from filelock import FileLock

# Libraries read these when they are imported: tests must not see, nor fill, the user's caches.
_CACHES = tempfile.TemporaryDirectory(prefix="magbridge-tests-")
os.environ["HF_HOME"] = str(Path(_CACHES.name) / "hf")
os.environ["MAGBRIDGE_CACHE"] = str(Path(_CACHES.name) / "magbridge")
os.environ["HF_HUB_OFFLINE"] = "1"

# Several workers share the cores: more threads in each would wait for one another.
for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")


@pytest.fixture(scope="session")
def upstream_dir() -> Path:
    """Folder of the published upstream files; skips, with the reason, where there is none."""
    folder = os.environ.get("MAGBRIDGE_UPSTREAM")
    if not folder:
        pytest.skip("$MAGBRIDGE_UPSTREAM is not set: the published upstream files are not at hand")
    return Path(folder)


def once(tmp_path_factory, name: str, build) -> Path:
    """Return the folder that `build` writes; of several workers of one run the first writes it, and all read it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "shared" / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / ".lock"):
        if not folder.exists():
            build(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_release(tmp_path_factory) -> Path:
    """A whole release of 2,280 rows from the simulated upstream, two variants per record; tests leave it as it is."""
    from bridge.release.folder import build
    from bridge.upstream import resolve

    return once(tmp_path_factory, "tiny/magbridge-battery", lambda out: build(out, resolve("simulated"), variants=2))


@pytest.fixture(scope="session")
def v2_release(tmp_path_factory) -> Path:
    """A whole v2 release from the simulated upstream, one variant a record: 4,700 rows; tests leave it as it is."""
    from bridge.generate import resolve
    from bridge.release.folder import build

    options = {"variants": 1, "anomalies": 1500, "regime_b": 500}
    return once(
        tmp_path_factory, "v2/magbridge-battery-v2", lambda out: build(out, resolve("v2", "simulated"), **options)
    )


@pytest.fixture(scope="session")
def v3_release(tmp_path_factory) -> Path:
    """A whole v3 release of 200 cells on a coarse mesh: 800 rows; tests leave it as it is."""
    from bridge.release.folder import build
    from bridge.v3.config import PhysicsConfig
    from bridge.v3.release import InputsV3

    inputs = InputsV3(), PhysicsConfig(mesh=(9, 7))
    return once(tmp_path_factory, "v3/magbridge-battery-v3", lambda out: build(out, *inputs, virtual_cells=200))


@pytest.fixture(scope="session")
def published(upstream_dir):
    """The published upstream."""
    from bridge.upstream import resolve

    return resolve("published", upstream_dir)


@pytest.fixture(scope="session")
def published_release(published, tmp_path_factory) -> Path:
    """The whole release from the published upstream, built once; tests read it and leave it as it is."""
    from bridge.release.folder import build

    return once(tmp_path_factory, "published/magbridge-battery", lambda out: build(out, published))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The wheel of this source, installed in an environment of its own."""
    from tests.wheel import installed

    return installed(tmp_path_factory.mktemp("wheel"))


LONGEST = {
    *("test_residuals.py", "test_run.py", "test_registry.py", "test_main.py", "test_protocol.py"),
    *("test_parallel.py", "test_controls.py", "test_filing.py", "test_magbridge_battery.py"),
}
"""Files that take longest: they go first, so that no worker is left alone with one at the end."""

FOR_THE_GATE = {"wheel", "browser", "seen", "two_workers", "bucket"}
"""Fixtures of tests that need an installation, a browser, a cluster or an object store: the gate runs them."""

TO_A_HUB = {"test_publishing.py", "test_push.py"}
"""Files whose tests push to a Hub of their own: the gate's too."""


def pytest_collection_modifyitems(items):
    """Mark tests by what they ask for, `upstream` or `gate`; the longest files come first."""
    items.sort(key=lambda item: item.path.name not in LONGEST)
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "upstream_dir" in fixtures:
            item.add_marker("upstream")
        if FOR_THE_GATE.intersection(fixtures) or item.path.name in TO_A_HUB:
            item.add_marker("gate")


@pytest.fixture(scope="session")
def two_workers(tmp_path_factory):
    """A Dask scheduler and two workers on the loopback interface; tests that kill a worker add another."""
    pytest.importorskip("distributed", reason="the extra [cluster] is not installed")
    from tests.cluster import cluster

    with cluster(tmp_path_factory.mktemp("two-workers") / "cluster") as made:
        yield made
