import json
import re
from xml.etree import ElementTree

import pytest

from dataset_card.cards.figure import BAR_WIDTH, composition
from dataset_card.contract.configs import SPLITS
from dataset_card.contract.schema import SYNTHETIC_SUBTYPES

SVG = "{http://www.w3.org/2000/svg}"


def test_the_figure_draws_the_counts(tiny_release):
    manifest = json.loads((tiny_release / "manifest.json").read_text())
    root = ElementTree.fromstring(composition(manifest))
    width = {}
    for bar in root.iter(f"{SVG}rect"):
        if (title := bar.find(f"{SVG}title")) is not None:
            name, subset, count = re.fullmatch(r"(.+), (\w+): (\d+)", title.text).groups()
            width[name, subset] = float(bar.get("width")), int(count)
    subsets = manifest["splits"]["by_cell_primary"]["subsets"]
    clean = manifest["counts"]["provenance"]["clean"]
    for s in SPLITS:
        found = subsets[s]["anomaly_subtype"]
        assert width["clean", s][1] == found["none"]
        assert width["clean", s][0] == pytest.approx(BAR_WIDTH * found["none"] / clean, abs=0.005)
        assert width["temporal warp", s][1] == found["temporal_warp"]
        assert width["Regime-B", s][1] == found["low_voltage_regime_B"]
        assert width["synthetic anomaly", s][1] == sum(found[name] for name in SYNTHETIC_SUBTYPES)
    assert composition(manifest) == composition(manifest)
