"""The commands discover, plot and interpret as a user runs them."""

import contextlib
import io
import json
import sys
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pandas as pd
import pytest

from hqvqvae import HQVQVAEModel
from hqvqvae.__main__ import main
from hqvqvae.commands.discovery import _power_of
from hqvqvae.discovery.analysis import DiscoveryPlan
from hqvqvae.discovery.warning_score import WarningScore
from hqvqvae.modeling_hqvqvae import PACKAGED
from tests.hqvqvae.small import cell_table
from tests.hqvqvae.synthetic_cells import planted_study


def hqvqvae(*arguments):
    """Run a command in this process: a fresh one would spend its time on imports."""
    out, err = io.StringIO(), io.StringIO()
    argv = mock.patch.object(sys, "argv", ["hqvqvae", *map(str, arguments)])
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), argv, pytest.raises(SystemExit) as ended:
        main()
    return SimpleNamespace(returncode=ended.value.code, stdout=out.getvalue(), stderr=err.getvalue())


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    segments, coding = planted_study(0, n_cells=10)
    segments.to_parquet(folder / "segments.parquet")
    segments[["cell_id", "cycle"]].assign(code=coding.reference).to_csv(folder / "codes.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def run(tables):
    out = tables / "run"
    done = hqvqvae(
        "discover", "--data", tables / "segments.parquet", "--codes", tables / "codes.csv", "--out", out,
        "--seeds", 1, "--permutations", 199, "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return out, done


def test_discover_prints_its_record_and_nothing_else(run):
    out, done = run
    assert json.loads(done.stdout) == json.loads((out / "discovery.json").read_text())
    assert done.stderr == ""
    assert (out / "report.html").is_file()


def test_discover_refuses_a_folder_in_use(run, tables):
    done = hqvqvae("discover", "--data", tables / "segments.parquet", "--codes", tables / "codes.csv", "--out", run[0])
    assert done.returncode == 1
    assert (
        done.stderr
        == f"error: {run[0]} contains a discovery run: expected another --out, or --replace; it was not changed\n"
    )


def test_plot_draws_again_from_the_csv_files(run, tmp_path):
    done = hqvqvae("plot", run[0], "--figure", "timeline", "--cell", "cell03", "--out", tmp_path / "again")
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in (tmp_path / "again").iterdir())
    assert names == ["timeline.csv", "timeline.png", "timeline.svg"]
    everything = hqvqvae("plot", run[0], "--out", tmp_path / "all")
    drawn = {path.name for path in (tmp_path / "all").iterdir()}
    assert drawn == {path.name for path in (run[0] / "figures").iterdir()}
    assert len(everything.stdout.splitlines()) == len(drawn) // 3


def test_warn_applies_the_score_of_the_run_to_new_cells(run, tmp_path):
    segments, coding = planted_study(1, n_cells=3)
    codes = segments[["cell_id", "cycle"]].assign(code=coding.reference)
    codes.to_csv(tmp_path / "new.csv", index=False)
    found = json.loads(hqvqvae("warn", run[0], tmp_path / "new.csv", "--json").stdout)
    assert [cell["cell_id"] for cell in found] == ["cell00", "cell01", "cell02"]
    score = WarningScore.load(run[0] / "warning_score.json")
    for cell, (_, sequence) in zip(found, codes.groupby("cell_id"), strict=True):
        assert cell["last_score"] == pytest.approx(score.score(sequence["code"])[-1], abs=1e-12)
        assert cell["alarm_cycle"] == score.alarm(sequence["code"].to_numpy())
    lines = hqvqvae("warn", run[0], tmp_path / "new.csv").stdout.splitlines()
    assert lines[0].startswith("cell00: score ") and len(lines) == 3


def test_warn_scores_samples_by_the_model_of_the_run(tmp_path):
    run = tmp_path / "run"
    HQVQVAEModel.from_pretrained("recommended").save_pretrained(run / "model")
    WarningScore(32, 1, (0.5,) * 32, (1.0, 0.0, 0.5, 2.0), -1.0, 0.5).save(run / "warning_score.json")
    cell_table().to_csv(tmp_path / "cell.csv", index=False)
    scored = hqvqvae("score", tmp_path / "cell.csv", "--model", run, "--out", tmp_path / "codes.csv")
    assert scored.returncode == 0, scored.stderr
    from_codes = hqvqvae("warn", run, tmp_path / "codes.csv", "--json")
    from_samples = hqvqvae("warn", run, tmp_path / "cell.csv", "--json")
    assert from_samples.returncode == 0, from_samples.stderr
    assert json.loads(from_samples.stdout) == json.loads(from_codes.stdout)
    refused = hqvqvae("warn", run, tmp_path / "codes.csv", "--nominal", "2")
    assert refused.returncode == 1 and "describe samples" in refused.stderr


def test_the_packaged_precursor_scores_and_warns_of_a_users_cell(tmp_path):
    cell_table(16).to_csv(tmp_path / "cell.csv", index=False)
    scored = hqvqvae("score", tmp_path / "cell.csv", "--model", "precursor", "--json")
    assert scored.returncode == 0, scored.stderr
    rows = json.loads(scored.stdout)
    assert [row["cycle"] for row in rows] == list(range(12, 17)) and {row["code"] for row in rows} <= {0, 1, 2, 3}
    warned = hqvqvae("warn", "precursor", tmp_path / "cell.csv", "--json")
    assert warned.returncode == 0, warned.stderr
    (cell,) = json.loads(warned.stdout)
    score = WarningScore.load(PACKAGED / "precursor" / "warning_score.json")
    codes = np.array([row["code"] for row in rows])
    table = cell_table(16)
    table.assign(current_A=-table["current_A"]).to_csv(tmp_path / "turned.csv", index=False)
    turned = hqvqvae("warn", "precursor", tmp_path / "turned.csv", "--current-sign", "positive", "--json")
    assert turned.returncode == 0, turned.stderr
    assert turned.stdout == warned.stdout
    pd.concat([table, cell_table(3, cell="young")]).to_csv(tmp_path / "both.csv", index=False)
    refused = hqvqvae("warn", "precursor", tmp_path / "both.csv")
    assert refused.returncode == 1 and "--skip-invalid" in refused.stderr
    skipped = hqvqvae("warn", "precursor", tmp_path / "both.csv", "--skip-invalid", "--json")
    assert skipped.returncode == 0 and skipped.stdout == warned.stdout
    assert cell["segments"] == 5 and cell["last_score"] == pytest.approx(score.score(codes)[-1])


def test_interpret_dry_run_writes_prompts(run, tmp_path):
    done = hqvqvae("interpret", run[0], "--dry-run", "--code", 7, "--out", tmp_path / "prompts", "--json")
    assert done.returncode == 0, done.stderr
    assert [prompt["code_id"] for prompt in json.loads(done.stdout)["prompts"]] == [7]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("discover", "--proxy", "luck", "--out", "unused"), "proxy 'luck' is unknown"),
        (("discover", "--protocol", "Q", "--out", "unused"), "protocol 'Q' is unknown"),
        (("discover", "--reference", "5", "--out", "unused"), "--reference '5': expected the first and last segment"),
        (("discover", "--early", "1.5", "--out", "unused"), "early_fraction is 1.5"),
        (("discover", "--data", "missing.csv", "--out", "unused"), "missing.csv does not exist"),
        (("plot", "missing"), "missing has no data for all"),
        (("plot", "missing", "--figure", "pie"), "figure 'pie' is unknown"),
        (("discover", "--method", "astrology", "--out", "unused"), "method 'astrology' is unknown"),
        (("warn", "missing", "codes.csv"), "missing has no warning_score.json"),
        (("interpret", "missing", "--dry-run"), "missing has no segments.csv"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_1(arguments, message):
    done = hqvqvae(*arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert message in done.stderr


def test_a_protocol_needs_a_table_of_features(tables):
    done = hqvqvae("discover", "--data", tables / "segments.parquet", "--protocol", "D", "--out", tables / "never")
    assert done.returncode == 1
    assert "protocol D needs a table written by" in done.stderr
    assert not (tables / "never").exists()


def test_a_run_on_the_nasa_cells_tells_what_it_could_have_shown():
    (sentence,) = _power_of(DiscoveryPlan(n_permutations=999))
    assert "20 cells" in sentence
    assert _power_of(DiscoveryPlan(early_fraction=0.2)) == []  # the packaged record is of another plan
