"""The analysis page."""

import pytest

from benchmark.analysis import measures
from benchmark.analysis.measures import RECIPE
from benchmark.analysis.page import write_page
from benchmark.running import run_baselines
from dataset_card.errors import MagBridgeError


def test_missing_results_are_named_before_the_work(release, tmp_path):
    run_baselines(release, task="t1", model=RECIPE["t1"], out=tmp_path / "results")
    with pytest.raises(MagBridgeError, match="no result of noise-level on t1 for seed None"):
        write_page(release, tmp_path / "page", tmp_path / "results")
    assert not (tmp_path / "page").exists()


@pytest.mark.slow
def test_page(release, tmp_path, monkeypatch):
    monkeypatch.setattr(measures, "SHARES", (0.5, 1.0))
    monkeypatch.setattr(measures, "CURVE_SEEDS", (0,))
    for protocol in ("rows", "cross_validation"):
        for task, model in RECIPE.items():
            run_baselines(release, task=task, model=model, protocol=protocol, out=tmp_path / "results")
    page = write_page(release, tmp_path / "page", tmp_path / "results")
    text = page.read_text()
    figures = ("severity.png", "soh_error.png", "learning_curves.png")
    assert {p.name for p in page.parent.iterdir()} == {"README.md", *figures}
    assert all(f"({name})" in text for name in figures)
