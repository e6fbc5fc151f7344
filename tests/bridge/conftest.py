import dataclasses
from pathlib import Path

import numpy as np
import pytest

from bridge import release
from bridge.upstream import resolve


@pytest.fixture(scope="session")
def small_release(tmp_path_factory) -> Path:
    """A quick release: the simulated upstream, two variants, and SOH 1 everywhere so that nothing is embedded."""
    upstream = resolve("simulated")
    pulses = dataclasses.replace(upstream.pulses, soh=np.ones(len(upstream.pulses)))
    folder = tmp_path_factory.mktemp("small") / "magbridge-battery"
    release.build(folder, dataclasses.replace(upstream, pulses=pulses), variants=2)
    return folder
