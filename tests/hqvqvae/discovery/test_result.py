"""The record of a run: what a script reads."""

import json

import numpy as np

from dataset_card.storage.documents import json_text
from hqvqvae.discovery.result import record
from tests.hqvqvae.synthetic_cells import PLANTED, given_run, planted_study


def test_the_record_holds_plan_settings_and_unrounded_figures(planted_run):
    found = record(planted_run)
    assert found["plan"]["proxy"] == "fade" and found["method"] == "given" and found["seeds"] == [0]
    nested = planted_run.primary.nested
    assert found["primary"]["nested"]["rho"] == nested.rho
    assert found["primary"]["nested"]["p_within_seeds"] == nested.p_within_seeds.tolist()
    assert found["primary"]["table_10"]["precursor_code"] == PLANTED
    assert found["primary"]["table_2"][0]["code"] == PLANTED
    assert set(found["controls"]) == {"random", "age-bins", "cohort-mean", "raw-feature"}
    assert found["versions"]["numpy"] == np.__version__


def test_what_cannot_be_computed_is_null_in_json():
    found = given_run(planted_study, change=lambda t: t.assign(cohort=t["cell_id"]))
    assert json.loads(json_text(record(found)))["primary"]["nested"]["p_within"] is None
