"""The analysis page as a pure function of documents."""

import json

from benchmark.analysis import document
from benchmark.analysis.figures import FIGURES
from benchmark.analysis.page import write_page


def test_a_page_is_drawn_from_documents(made_up, tmp_path):
    for name, digest in (("magbridge-battery", "a"), ("magbridge-battery-v2", "b")):
        document.write(made_up(name, digest), tmp_path)
    best = [{"task": t, "ablation": a, "k": 2, "model": "x", "mean": 0.25} for t in ("t1", "t2") for a in ("A0", "A1")]
    carried = [{"ablation": "A1", "seed": 2, "readout": "shape", "within": 0.9, "transfer": -0.5, "slope": 0.125}]
    report = {"bridge": "v2", "upstream": "hybrid", "rows": 1620, "best": best, "transfer": carried}
    (tmp_path / "ablations-v2.json").write_text(json.dumps(report))
    text = write_page([], tmp_path).read_text()
    for name in FIGURES:
        assert f"({name}.png)" in text and (tmp_path / f"{name}.png").stat().st_size > 10_000
    assert "| v2 | dropout | 10 / 10 (n 10) |" in text and "- v1: false alarms on 2.0 % of clean rows." in text
    assert "| v1 | T2 | strong | 0.900 | 0.800 | -0.100 | -0.150 | +0.050 ± 0.050 | +0.000 |" in text
    assert "above 2 of 2 deals; leakage +0.050, within its error" in text
    assert "| v1 | T1 | 0.10 weak | 0.50 strong |" in text
    assert "| A1, draw 2 | shape | 0.90 | -0.50 | 0.12 |" in text
    assert text.count("\n## What a score says about real cells") == 1
