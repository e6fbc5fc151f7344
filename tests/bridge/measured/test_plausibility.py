"""Instruments of coarse steps and uneven clocks: what is sound passes, what is clipped or torn is named."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.measured.channels import RELEASE_NAMES, Channel, ChannelMap, read_channel_map
from bridge.measured.plausibility import check_scans
from bridge.measured.sampling import evenly_sampled
from bridge.measured.signals import RawScan
from dataset_card.contract.measured import AXES
from dataset_card.contract.schema import CHANNELS
from dataset_card.storage.columns import UNITS
from dataset_card.storage.faults import FaultyInput

NAMES = CHANNELS[:4]


def smooth(seed, steps=100, top=200.0):
    """(steps, 4) a few slow waves in nT and a little hum."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 1, steps)[:, None]
    waves = sum(rng.normal(size=4) / k * np.sin(2 * np.pi * (k * t + rng.uniform(size=4))) for k in range(1, 6))
    return top * waves / np.abs(waves).max() + 2 * np.sin(2 * np.pi * 31 * t + rng.uniform(0, 6, 4))


def checked(x, mapping=None, time=None):
    mapping = mapping or ChannelMap(RELEASE_NAMES.channels[:4], None if time is None else ("t", "s"))
    clock = {} if time is None else {"t": time}
    scans = [RawScan("s0", "x.csv", "scan s0", 2, {**{n: x[:, c] for c, n in enumerate(NAMES)}, **clock})]
    found = evenly_sampled(scans, mapping)
    check_scans(found, np.array([3.1]))
    return found.x[0], found.sampling


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), step=st.sampled_from([0.1, 1.0, 3.05]))
def test_coarse_steps_are_no_saturation(seed, step):
    """Steps of 13 nT are too coarse to tell: a slow extremum can then hold a quarter of a scan at one level."""
    x = step * np.round(smooth(seed) / step)
    np.testing.assert_array_equal(checked(x)[0], x)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), step=st.sampled_from([1e-6, 0.1, 1.0]), channel=st.integers(0, 3))
def test_a_clipped_channel_is_named(seed, step, channel):
    x = smooth(seed)
    x[:, channel] = np.minimum(x[:, channel], np.quantile(x[:, channel], 0.7))
    with pytest.raises(FaultyInput, match=f"{NAMES[channel]}: .*the channel is saturated"):
        checked(step * np.round(x / step))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), jitter=st.floats(0.03, 0.2), rate=st.sampled_from([1.0, 10.0, 1000.0]))
def test_an_uneven_clock_is_brought_to_even_steps(seed, jitter, rate):
    """Against the curve that the samples were drawn from, which is known at any time."""
    rng = np.random.default_rng(seed)
    time = (np.arange(100) + np.r_[0, rng.uniform(-jitter, jitter, 98), 0]) / rate
    wave = np.stack([100 * np.sin(2 * np.pi * (c + 1) * time * rate / 99 + c) for c in range(4)], axis=1)
    even = np.linspace(time[0], time[-1], 100)
    truth = np.stack([100 * np.sin(2 * np.pi * (c + 1) * even * rate / 99 + c) for c in range(4)], axis=1)
    found, sampling = checked(wave, time=time)
    assert np.abs(found - truth).max() < 1.0 < np.abs(wave - truth).max() + 1.0
    assert sampling.jittered == 1 and 0 < sampling.jitter < 0.5 and "deviated by up to" in sampling.note


def test_a_clock_that_strays_too_far_is_a_gap():
    time = np.arange(100.0) + 0.7 * (np.arange(100) > 50)
    with pytest.raises(FaultyInput, match="a gap: steps are missing"):
        checked(smooth(1), time=time)


@pytest.mark.parametrize("unit", UNITS["nT"])
def test_values_in_every_unit_are_the_same_and_undeclared_ones_are_named(unit):
    x = smooth(3)
    mapping = ChannelMap(tuple(Channel(name, name, unit) for name in NAMES))
    np.testing.assert_allclose(checked(x / UNITS["nT"][unit], mapping)[0], x, rtol=1e-12)
    if unit in ("T", "mT", "uT", "fT"):
        factor = f"{UNITS['nT'][unit]:g}".replace("+", "[+]")
        with pytest.raises(FaultyInput, match=f"it looks like {unit}: .*multiply by {factor}"):
            checked(x / UNITS["nT"][unit])


@pytest.mark.parametrize("micro", ["\N{MICRO SIGN}", "\N{GREEK SMALL LETTER MU}", "u"])
def test_both_spellings_of_micro_are_one_unit(micro, tmp_path):
    lines = [f"  {name}: {{column: {name}, axis: {AXES[name]}, unit: {micro}T}}" for name in NAMES]
    (tmp_path / "channels.yaml").write_text("channels:\n" + "\n".join(lines) + "\n", encoding="utf-8")
    mapping = read_channel_map(tmp_path / "channels.yaml")
    np.testing.assert_allclose(checked(smooth(4) / 1e3, mapping)[0], smooth(4), rtol=1e-12)
