"""The comparison comes out right where the answer is known; `perf/stand_ins.py` does it for twenty laboratories."""

import dataclasses
import json

import numpy as np
import pytest
from scipy import stats

from bridge.measured import report
from bridge.measured.matched import DRAWS, NOMINAL, match
from bridge.measured.readers import auc, score
from bridge.measured.residuals import compare, compare_scans, over_cells
from bridge.measured.response import amplitude, response_trajectory, slope_interval, soh_slope
from bridge.v2 import BridgeV2, BridgeV2Config
from bridge.v2 import resolve as resolve_v2
from dataset_card.errors import MagBridgeError
from tests.bridge.measured.laboratory import labels_of, scans_of

SEEDS = (0, 1, 2)


@pytest.fixture(scope="module")
def bridge():
    """Of one law of ageing, as the stand-ins are: two would make the response differ from battery to battery."""
    return BridgeV2(resolve_v2("simulated"), BridgeV2Config(inventory_share=0))


@pytest.fixture(scope="module")
def found(bridge):
    """Stand-in A, 16 cells of 20 scans."""
    labels = labels_of(0, cells=16, scans=20)
    return compare_scans(labels, scans_of(labels, 1.0, 0), bridge, name="a <b>lab</b>", seed=0)


def slope_of(response, seed, noise=True):
    labels = labels_of(seed, cells=50, scans=20)
    return soh_slope(amplitude(scans_of(labels, response, seed, noise), labels.chemistry), labels, seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_known_response_is_recovered_in_another_geometry(seed):
    slope, truth = slope_of(1.0, seed), slope_of(1.0, seed, noise=False).value
    assert slope.found and 0 < slope.low <= truth <= slope.high
    turned = slope_of(-1.0, seed)
    assert turned.found and turned.high < 0


@pytest.mark.parametrize("seed", SEEDS)
def test_none_is_found_where_there_is_none(seed):
    assert not slope_of(0.0, seed).found


def test_the_bridge_against_itself(found):
    assert abs(found.itself.coverage["all"].value - NOMINAL) < 0.03
    assert found.itself.auc <= found.floor_high < 0.75
    assert all(0.85 < z < 1.15 for z in found.itself.z_rms.values())
    difference = found.itself.slope_difference
    assert difference.low <= 0 <= difference.high


def test_another_geometry_is_told_apart_and_its_response_too(found):
    assert found.measured.auc > 0.95 > found.floor_high
    assert found.measured.slope.value > found.generated_slope.value > 0
    assert found.measured.within.r2 > 0.8 > 0.3 > max(found.shuffled)
    assert found.measured.spectrum_dB > 5 * found.itself.spectrum_dB


def test_the_band_has_its_nominal_coverage_exactly():
    # of 40 exchangeable values the band leaves out the two lowest and the two highest
    ranks = np.arange(DRAWS + 1)
    assert np.mean((ranks > 1) & (ranks < DRAWS - 1)) == NOMINAL == 0.9


def test_figures_do_not_depend_on_threads(bridge):
    labels = labels_of(1, cells=5, scans=20)
    x = scans_of(labels, 1.0, 1)
    one, many = (match(bridge, labels, x, np.arange(10), 3, workers) for workers in (1, 3))
    for name in ("own", "generated", "pairs", "band"):
        assert (getattr(one, name) == getattr(many, name)).all()
    assert (one.measured.coverage == many.measured.coverage).all()


def test_a_response_of_the_bridges_own_has_its_course(bridge):
    labels = labels_of(2, cells=30, scans=20)
    seed = [5] * len(labels)  # one position and one noise for all: SOH is all that is left
    x = bridge.generate_many(labels.voltage, labels.soc, labels.soh, seed)
    fresh = bridge.generate_many(labels.voltage, labels.soc, np.ones(len(labels)), seed)
    mean_loss = ((x - fresh)[..., :4] / (1 - labels.soh)[:, None, None]).mean(axis=0)
    np.testing.assert_allclose(response_trajectory(x, labels), mean_loss, atol=0.06 * np.abs(mean_loss).max())


def test_auc_of_equal_and_of_different_sets():
    rng, cells = np.random.default_rng(0), np.repeat(np.arange(20), 10)
    a, b = rng.standard_normal((2, 200, 5))
    assert auc(a, b, cells, 0) < 0.65 and auc(a, b + 3, cells, 0) > 0.99


def test_scores_of_perfect_blind_and_upside_down_readouts():
    truth = np.linspace(0.7, 1, 50)
    assert dataclasses.astuple(score(truth, truth)) == (1, pytest.approx(1), 0)
    blind = score(truth, np.full(50, truth.mean()))
    assert blind.r2 == pytest.approx(0, abs=1e-12) and blind.slope == pytest.approx(0, abs=1e-12)
    assert score(truth, 2 * truth.mean() - truth).slope == pytest.approx(-1)


def test_intervals_are_over_cells_and_not_over_scans():
    rng = np.random.default_rng(0)
    cell = np.repeat(np.arange(10), 100)
    values = rng.standard_normal(10)[cell] + 0.01 * rng.standard_normal(1000)
    found, means = over_cells(values, cell, 10), values.reshape(10, 100).mean(axis=1)
    low, high = stats.t.interval(0.95, 9, means.mean(), stats.sem(means))
    assert dataclasses.astuple(found) == pytest.approx((means.mean(), low, high)) and high - low > 0.5


def scattered(cells, rng, scans=10, ageing=False):
    """A slope of 1 seen through cells of their own make, and its labels."""
    labels = labels_of(int(rng.integers(2**31)), cells, scans)
    soh = rng.uniform(0.7, 1, len(labels)) if ageing else labels.soh
    make, slope = (np.repeat(rng.normal(1, spread, cells), scans) for spread in (0.015, 0.1 * ageing))
    return make * (1 - slope * (1 - soh)) + rng.normal(0, 0.02, len(soh)), dataclasses.replace(labels, soh=soh)


def test_the_interval_of_a_slope_is_that_of_cells_means_where_all_cells_are_scanned_alike():
    """HC2 with Bell and McCaffrey's degrees of freedom on the means, by its definition in whole matrices."""
    y, labels = scattered(9, np.random.default_rng(4))
    soh, means = labels.soh.reshape(9, 10)[:, 0], y.reshape(9, 10).mean(axis=1)
    x = np.column_stack([np.ones(9), soh])
    inverse = np.linalg.inv(x.T @ x)
    hat = x @ inverse @ x.T
    weights = (inverse @ x.T)[1]
    q = np.diag(weights**2 / (1 - np.diag(hat)))
    m = np.eye(9) - hat
    error, freedom = np.sqrt((m @ means) @ q @ (m @ means)), np.trace(q @ m) ** 2 / np.trace(q @ m @ q @ m)
    reach = stats.t.ppf(0.975, freedom) * error
    slope = weights @ means
    assert slope_interval(y, labels) == pytest.approx((slope, slope - reach, slope + reach))


@pytest.mark.parametrize("ageing", [False, True], ids=["a SOH a cell", "cells that age"])
def test_the_interval_of_a_slope_covers_it_with_few_cells(ageing):
    rng, inside = np.random.default_rng(0), 0
    for _ in range(200):
        _, low, high = slope_interval(*scattered(8, rng, ageing=ageing))
        inside += low <= 1 <= high
    assert inside >= 184  # .95 less two standard errors


def test_soh_that_follows_from_the_chemistry_is_refused():
    labels = labels_of(0, 6, 10)
    chemistry = np.repeat(["LFP", "NMC"], 30)
    same = dataclasses.replace(labels, chemistry=chemistry, soh=np.where(chemistry == "LFP", 0.8, 0.9))
    with pytest.raises(MagBridgeError, match="SOH is fully determined by chemistry, voltage and SOC"):
        slope_interval(np.ones(60), same)


def test_few_cells_or_one_soh_are_refused(bridge):
    labels = labels_of(0, cells=4, scans=20)
    with pytest.raises(MagBridgeError, match="4 cells within the bridge's range.*expected at least 5"):
        compare_scans(labels, scans_of(labels, 1.0, 0), bridge)
    same = dataclasses.replace(labels_of(0, cells=6, scans=20), soh=np.full(120, 0.9))
    with pytest.raises(MagBridgeError, match=r"SOH spread over 0\.000: expected .* a spread of 0\.02"):
        compare_scans(same, np.zeros((120, 100, 6)), bridge)


def test_the_report_says_first_what_it_cannot_say_then_nulls_then_figures(found, tmp_path):
    pytest.importorskip("matplotlib")
    path = report.write_report(found, tmp_path / "report")
    text = path.read_text()
    places = [
        text.index(words) for words in ("## What this cannot show", "## Nulls", "## In short", "![Mean residuals")
    ]
    assert places == sorted(places)
    assert "found, with the bridge's sign" in text and "can be told from the bridge's" in text
    page = (tmp_path / "report" / "report.html").read_text()
    assert "<table>" in page and "<b>lab</b>" not in page and "a &lt;b&gt;lab" in page
    document = json.loads((tmp_path / "report" / "residuals.json").read_text())
    assert document["measured"]["slope"]["value"] == found.measured.slope.value
    assert document["itself"]["coverage"]["all"]["value"] == found.itself.coverage["all"].value
    for name in ("residuals", "coverage", "spectra", "response", "trajectory"):
        assert (tmp_path / "report" / f"{name}.png").read_bytes().startswith(b"\x89PNG") and f"({name}.png)" in text
    assert report.write_report(found, tmp_path / "report", replace=True) == path
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(MagBridgeError, match="something other than a report"):
        report.write_report(found, tmp_path / "mine")


def test_verdicts_of_none_and_of_the_other_sign(found):
    measured = found.measured
    none = dataclasses.replace(measured.slope, p=0.4)
    turned = dataclasses.replace(measured.slope, value=-1.0, low=-1.2, high=-0.8)
    for slope, words in ((none, "none found"), (turned, "opposite to the bridge's")):
        other = dataclasses.replace(found, measured=dataclasses.replace(measured, slope=slope))
        assert words in other.verdict()[0]


def test_releases_are_compared_from_their_folders(adopted, v2_release, tiny_release):
    found = compare(adopted, v2_release)
    assert (found.cells, found.scans, found.left_out) == (7, 70, {})
    assert found.against.startswith("v2.1-simulated") and "so few cells make them rough" in found.caveats[0]
    with pytest.raises(MagBridgeError, match="expected a release of measured cells"):
        compare(v2_release, v2_release)
    with pytest.raises(MagBridgeError, match=r"is of bridge v1\.3-simulated: expected a v2 release"):
        compare(adopted, tiny_release)
