"""The derived magnitudes tell the voltage no better than the measured channels, and the check sees where they do."""

import numpy as np
import pytest

from bridge.v2 import BridgeV2, kernel, resolve
from bridge.validation.voltage_leak import check_voltage_leak, unseen_squares


@pytest.mark.parametrize("choice", ["simulated", "published"])
def test_it_holds_on_both_upstreams(choice, upstream_dir):
    check = check_voltage_leak(BridgeV2(resolve(choice, upstream_dir if choice == "published" else None)), True)
    assert check.passed and "mV from the four measured channels" in check.note


def test_an_unseen_field_of_the_voltage_alone_is_caught(upstream_dir, monkeypatch):
    bridge = BridgeV2(resolve("published", upstream_dir))
    magnitudes = kernel.magnitudes

    def bare(t, unseen, wave, normal, row_of, out):
        magnitudes(t, unseen, np.ones_like(wave) / 4, np.ones_like(normal), row_of, out)

    monkeypatch.setattr(kernel, "magnitudes", bare)
    assert not check_voltage_leak(bridge, True).passed


def test_squares():
    assert unseen_squares(np.full((1, 2, 6), 3.0)) == pytest.approx(-9)
