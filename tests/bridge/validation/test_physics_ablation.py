"""Ablations of v3: labels that stay take their readouts with them."""

import pytest

from bridge.v3.cells import requests
from bridge.validation import physics_ablation


@pytest.mark.slow
def test_shuffled_labels_collapse_and_mechanisms_carry_what_they_should():
    found = {one.ablation: one for one in physics_ablation.ablate_physics()}
    assert list(found) == list(physics_ablation.ABLATIONS)
    plain, shuffled = found["as it is"], found["labels shuffled"]
    assert plain.gradient_rest > 0.3 > 0.05 > plain.gradient_terminals
    assert plain.current_defects > 0.9 and plain.lithium_defects > 0.8
    assert shuffled.gradient_rest < 0.1 and abs(shuffled.current_defects - 0.5) < 0.2
    assert found["gradients off"].gradient_rest is None
    assert found["lithium gained"].carried < 0 and found["lithium loss off"].carried < 0
    assert "labels shuffled" in physics_ablation.table(list(found.values()))


def test_each_ablation_changes_what_it_names_and_nothing_else():
    config = physics_ablation.PhysicsConfig(visits=1)
    drawn = physics_ablation.draw(requests(1, 1), config, 5)[0]
    for name, changed in {
        "lithium loss off": {"lli"},
        "active material loss off": {"lam_pe", "lam_ne"},
        "resistance growth off": {"r_ohm", "r_ct"},
        "gradients off": {"gradient_lli", "gradient_r"},
        "lithium gained": {"lli"},
        "as it is": set(),
    }.items():
        made = physics_ablation.changed(drawn, name)
        before, after = vars(drawn.state), vars(made.state)
        assert {key for key in before if before[key] != after[key]} == changed
        assert made.defect == drawn.defect and made.variation is drawn.variation
