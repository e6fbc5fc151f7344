"""The simulated scan archive and pulse table: equations, statistics, seeds, bad input."""

import dataclasses
import doctest
import random

import numpy as np
import pytest

from bridge.config import ANCHOR_VOLTAGES
from bridge.upstream import resolve, simulated
from bridge.upstream.published import read_anchor_statistics, read_pulse_table
from bridge.upstream.simulated import dipole_field, pulse_table, scan_archive, sheet_field
from bridge.upstream.simulated_parameters import load_parameters
from bridge.v1.inputs import AnchorStatistics
from bridge.v1.latent_space import separation
from dataset_card.errors import MagBridgeError

PARAMETERS = load_parameters()


def test_sheet_field_agrees_with_a_thin_cuboid_magnet():
    magpylib = pytest.importorskip("magpylib")
    length, width, thickness, polarization = 7.6, 11.3, 1e-3, 1.0
    magnet = magpylib.magnet.Cuboid(polarization=(0, 0, polarization), dimension=(thickness, width, length))
    z, y = np.meshgrid(np.linspace(-45, 55, 41), np.linspace(-8, 8, 17))
    for h in (4.94, 6.26):
        points = np.stack([np.full(z.size, h), y.ravel(), z.ravel()], axis=1)
        unit = polarization * thickness * width * length / (4 * np.pi)
        oracle = magnet.getB(points)[:, 1:].reshape(*z.shape, 2) / unit
        field = np.stack(sheet_field(z, y, h, length, width), axis=-1)
        assert np.abs(field - oracle).max() < 1e-4 * np.abs(oracle).max()


def test_dipole_field_agrees_with_a_point_dipole():
    magpylib = pytest.importorskip("magpylib")
    mx, my, h = -0.4, 0.29, 5.0
    z, y = np.meshgrid(np.linspace(-45, 55, 21), np.linspace(-8, 8, 9))
    points = np.stack([np.full(z.size, h), y.ravel(), z.ravel()], axis=1)
    oracle = magpylib.misc.Dipole(moment=(mx, my, 0)).getB(points)[:, 1:].reshape(*z.shape, 2) / 1e-7
    field = np.stack(dipole_field(z, y, h, mx, my), axis=-1)
    np.testing.assert_allclose(field, oracle, rtol=1e-6, atol=1e-12)


def test_sheet_is_a_dipole_from_far_away():
    by, bz = sheet_field(np.array(300.0), np.array(40.0), 5.0, 7.6, 11.3)
    r2 = 300.0**2 + 40.0**2 + 5.0**2
    np.testing.assert_allclose([by, bz], [3 * 300 * 40 / r2**2.5, (3 * 300**2 - r2) / r2**2.5], rtol=5e-3)


def test_archive_without_noise_is_the_sum_of_its_parts():
    quiet = {"white": np.zeros(4), "edge": np.zeros(2)}
    anchors = dataclasses.replace(PARAMETERS.anchors, sr=0 * PARAMETERS.anchors.sr, hum=0 * PARAMETERS.anchors.hum)
    parameters = dataclasses.replace(PARAMETERS, scan=dataclasses.replace(PARAMETERS.scan, **quiet), anchors=anchors)
    scans = scan_archive(parameters, voltages=[3.10])
    p, n, k = 7, 61, 3  # anchor 3.10 V is the fourth
    scan, u = parameters.scan, (p - 20) / 20
    q = u**2 - np.mean(((np.arange(41) - 20) / 20) ** 2)
    mz, mx, my = anchors.moment[k] * 1e4
    for sensor in range(2):
        z = n - scan.z0[sensor] - anchors.dz[k]
        y = (p - 20 - scan.y0[sensor] - anchors.dp[k]) * scan.dy
        sheet = sheet_field(z, y, scan.h[sensor], scan.sheet_length, scan.sheet_width)
        dipole = dipole_field(z, y, scan.h[sensor], mx, my)
        for component in range(2):
            c = 2 * sensor + component
            expected = (
                mz * sheet[component]
                + dipole[component]
                + anchors.a[k, c]
                + anchors.b[k, c] * u
                + anchors.c[k, c] * q
                + scan.drift[c] * (n - 50) / 50
            )
            assert scans[p, n, c] == pytest.approx(expected, abs=1e-9)
        pair = scans[p, n, 2 * sensor : 2 * sensor + 2]
        assert scans[p, n, 4 + sensor] == pytest.approx(np.hypot(*pair), abs=1e-12)


def test_noise_has_the_stated_size():
    scans = scan_archive(PARAMETERS, voltages=[2.54], positions=400)
    white = dataclasses.replace(PARAMETERS.scan, white=np.zeros(4))
    without = scan_archive(dataclasses.replace(PARAMETERS, scan=white), voltages=[2.54], positions=400)
    np.testing.assert_allclose((scans - without)[..., :4].std(axis=(0, 1)), PARAMETERS.scan.white, rtol=0.02)
    # Two hum lines of independent phase add up in the spectrum: mean power per line is A^2.
    hum = dataclasses.replace(PARAMETERS.anchors, hum=0 * PARAMETERS.anchors.hum)
    wave = scans - scan_archive(dataclasses.replace(PARAMETERS, anchors=hum), voltages=[2.54], positions=400)
    np.testing.assert_allclose((wave[..., 1] ** 2).mean(), (PARAMETERS.anchors.hum[0] ** 2).sum(), rtol=0.15)
    np.testing.assert_allclose(wave[..., 0], 0.05 * wave[..., 1], atol=1e-9)


def test_archive_reproduces_the_published_statistics(upstream_dir):
    published = read_anchor_statistics(upstream_dir / "magbridge" / "anchor_stats.npz")
    simulated = AnchorStatistics.from_scans(scan_archive(PARAMETERS), np.array(ANCHOR_VOLTAGES))
    for k in range(5):
        for c in (1, 3):  # the dip of both Z channels
            assert np.corrcoef(simulated.mean[k, :, c], published.mean[k, :, c])[0, 1] > 0.80
    ratio = simulated.std[..., :4].mean(axis=1) / published.std[..., :4].mean(axis=1)
    assert ratio.min() > 0.9 and ratio.max() < 1.2
    assert np.abs(simulated.mean - published.mean).mean() < 8  # nT, of some hundreds


def test_archive_is_determined_by_seed_and_voltage():
    archive = scan_archive(PARAMETERS)
    assert archive.shape == (205, 100, 6) and archive.dtype == np.float64 and archive.flags.c_contiguous
    np.testing.assert_array_equal(archive, scan_archive(PARAMETERS))
    np.testing.assert_array_equal(archive[123:164], scan_archive(PARAMETERS, voltages=[3.10]))
    assert not np.array_equal(archive, scan_archive(PARAMETERS, seed=2))


def test_archive_takes_any_voltages_positions_and_steps():
    scans = scan_archive(PARAMETERS, voltages=(2.60, 3.22), positions=7, steps=250)
    assert scans.shape == (14, 250, 6) and np.isfinite(scans).all()
    moments = [PARAMETERS.anchors.at(v)["moment"][0] for v in (2.54, 2.60, 2.81)]
    assert moments[0] < moments[1] < moments[2]
    # More steps sample the same scan more finely: the dip stays where it is.
    fine, coarse = (scan_archive(PARAMETERS, [3.34], 41, n)[..., 1].mean(axis=0) for n in (991, 100))
    assert fine.argmin() / 990 == pytest.approx(coarse.argmin() / 99, abs=0.02)


def test_pulse_table_reproduces_pulsebat(upstream_dir):
    published = read_pulse_table(upstream_dir / "pulsebat" / "LFP_35Ah_W_5000.xlsx")
    simulated = pulse_table(PARAMETERS)
    assert list(simulated.cell) == list(published.cell)
    np.testing.assert_array_equal(simulated.soc, published.soc)
    by_soc = [table.u.reshape(56, 10, 21).mean(axis=0) for table in (published, simulated)]
    rmse = np.sqrt(((by_soc[0] - by_soc[1]) ** 2).mean(axis=0)) * 1e3
    assert rmse.min() > 0.5 and rmse.max() < 2.0  # mV
    correlation = [
        np.mean([[np.corrcoef(t.soh[i::10], t.u[i::10, j])[0, 1] for j in range(21)] for i in range(10)], axis=0)
        for t in (published, simulated)
    ]
    assert np.abs(correlation[0] - correlation[1]).max() < 0.12
    assert np.abs(correlation[0] - correlation[1]).mean() < 0.06
    assert np.abs(np.sort(published.soh) - np.sort(simulated.soh)).max() < 0.02


def test_cell_factors_have_the_stated_correlations():
    # Without record noise, the first pulse's instant step shows R_i and its polarisation p_i exactly.
    quiet = dataclasses.replace(PARAMETERS.pulse_table, res_R=0.0, noise=0.0, ocv_noise=0.0, soc_err=0.0)
    table = pulse_table(dataclasses.replace(PARAMETERS, pulse_table=quiet), soc_levels=[30])
    ohmic = table.u[:, 1] - table.u[:, 0]
    assert np.corrcoef(table.soh, ohmic)[0, 1] == pytest.approx(-0.31, abs=1e-9)
    # End of the +1C pulse, where hysteresis is constant.
    polarisation = table.u[:, 10] - table.u[:, 9]
    assert np.corrcoef(table.soh, polarisation)[0, 1] == pytest.approx(-0.45, abs=1e-9)
    assert np.corrcoef(ohmic, polarisation)[0, 1] == pytest.approx(0.92, abs=1e-9)
    np.testing.assert_allclose(ohmic.std() / ohmic.mean(), 0.085, rtol=1e-9)


def test_test_subset_has_the_published_composition():
    table = pulse_table(PARAMETERS)
    cells = sorted(set(table.cell))
    random.Random(42).shuffle(cells)
    soh = dict(zip(table.cell, table.soh))
    assert sum(soh[cell] > 0.85 for cell in cells[47:]) == 2


def test_pulse_table_is_determined_by_its_seed():
    first, again, other = pulse_table(PARAMETERS), pulse_table(PARAMETERS), pulse_table(PARAMETERS, seed=1)
    np.testing.assert_array_equal(first.u, again.u)
    assert not np.array_equal(first.soh, other.soh)
    np.testing.assert_array_equal(np.sort(first.soh), np.sort(other.soh))
    assert len(first) == 560 and first.u.shape == (560, 21)


def test_pulse_table_takes_any_cells_and_levels():
    table = pulse_table(PARAMETERS, cells=12, soc_levels=(7.5, 42))
    assert list(table.cell[::2]) == ["10", "11", "12", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
    assert table.u.shape == (24, 21) and (np.diff(table.u[:, [13, 0, 10]], axis=1) > 0).all()


def test_the_examples_run():
    assert doctest.testmod(simulated) == (0, 2)


@pytest.mark.parametrize(
    "call, named",
    [
        (lambda: scan_archive(PARAMETERS, voltages=[3.5]), "voltage 3.5 V"),
        (lambda: scan_archive(PARAMETERS, voltages=[float("nan")]), "voltage nan V"),
        (lambda: scan_archive(PARAMETERS, voltages=[]), "voltages"),
        (lambda: scan_archive(PARAMETERS, positions=0), "positions 0"),
        (lambda: scan_archive(PARAMETERS, steps=3), "steps 3"),
        (lambda: scan_archive(PARAMETERS, seed=-1), "seed -1"),
        (lambda: pulse_table(PARAMETERS, cells=0), "cells 0"),
        (lambda: pulse_table(PARAMETERS, cells=2.5), "cells 2.5"),
        (lambda: pulse_table(PARAMETERS, soc_levels=(5, 80)), "5 to 50 %"),
        (lambda: pulse_table(PARAMETERS, soc_levels=()), "SOC levels"),
        (lambda: pulse_table(PARAMETERS, soc_levels=(5, 5)), "each level once"),
    ],
)
def test_bad_arguments_are_named(call, named):
    with pytest.raises(MagBridgeError, match=named):
        call()


@pytest.fixture(scope="module")
def upstream():
    return resolve("simulated")


def test_simulated_upstream_is_marked_and_fitted(upstream):
    assert upstream.name == "simulated" and upstream.bridge_version == "v1.3-simulated"
    assert "simulated_parameters.json" in upstream.sources and len(upstream.sources) == 3
    assert all(len(digest) == 64 for digest in upstream.sources.values())
    assert np.linalg.norm(upstream.latent.direction) == pytest.approx(1, abs=1e-12)


def test_latent_scale_is_that_of_the_published_bridge(upstream):
    # Drift strength and kernel width are in these units: another scale would be another bridge.
    figures = separation(upstream.latent.project(upstream.embeddings), upstream.scan_anchor)
    assert figures["scatter"] == pytest.approx(1.78, abs=0.05)
    assert figures["adjacent"] == pytest.approx(279.0, abs=5)
    assert figures["r2"] > 0.999
