"""Transfer scores on the bridge's own rows, and the verdicts that hang on them."""

from bridge.generate import make_bridge, resolve
from bridge.v2 import BridgeV2Config
from bridge.validation.ablation import pilot_rows
from bridge.validation.readout import clean_rows
from bridge.validation.transfer import SCENARIOS, Transfer, check_transfer, transfer_scores, transfer_table


def test_direction_decides_in_v2():
    bridge = make_bridge(resolve("v2", "simulated"), BridgeV2Config(inventory_share=0))  # one law has one direction
    rows = clean_rows(bridge, variants=1)
    scores = transfer_scores(bridge, rows)
    assert [(s.ablation, s.seed) for s in scores] == list(SCENARIOS)
    checks = check_transfer(scores, rows, blocking=True)
    assert all(check.passed for check in checks)
    assert checks[0].figure > 0.85 and checks[-1].figure < -0.8


def test_an_immaterial_direction_fails():
    scores = [
        Transfer("A0", 0, "shape", 0.8, 0.8, 0.8),
        *(Transfer("A1", draw, "shape", 0.8, 0.7, 0.8) for draw in range(3)),
        Transfer("A2", 0, "shape", 0.0, -1.0, 0.0),
        Transfer("A3", 0, "shape", 0.8, 0.7, 0.8),
    ]
    rows = clean_rows(make_bridge(resolve("v1", "simulated")), variants=1)
    verdict = {check.name: check.passed for check in check_transfer(scores, rows, blocking=True)}
    assert verdict == {
        "SOH from shape": True,
        "SOH permuted across cells (A2)": True,
        "readout of A0 on a random direction (A1)": False,
        "readout of A0 on the negated direction (A3)": False,
    }
    assert len(transfer_table(scores).splitlines()) == 10


def test_v1_is_read_from_noise_whatever_the_direction():
    bridge = make_bridge(resolve("v1", "simulated"))
    scenarios = (("A0", 0), ("A1", 0), ("A1", 1), ("A3", 0))
    scores = transfer_scores(bridge, pilot_rows(bridge, 0), scenarios, ("shape", "static"))
    shape, static = ([s for s in scores if s.readout == name] for name in ("shape", "static"))
    assert [(s.ablation, s.seed) for s in shape] == [(s.ablation, s.seed) for s in static] == list(scenarios)
    assert min(s.slope for s in static) > 0.5 and min(s.transfer for s in static) > 0.5
    assert max(s.within for s in shape) < 0.3
    assert "static: 57 static features" in transfer_table(scores)
