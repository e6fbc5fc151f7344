"""The paper's tables from our own code: what must agree with the paper does."""

import numpy as np

from hqvqvae import HQVQVAEConfig, load_segments
from hqvqvae.discovery.paper_values import TABLE_4, TABLE_8
from hqvqvae.discovery.reproduction import tables
from hqvqvae.training.fit import TrainingConfig


def test_our_paper_configuration_and_training_are_those_of_table_4():
    table = tables.settings(HQVQVAEConfig.named("paper"), TrainingConfig())
    assert table["setting"].tolist() == list(TABLE_4)
    assert table["paper"].tolist() == table["ours"].tolist()
    other = tables.settings(HQVQVAEConfig.named("paper", n_qubits=4), TrainingConfig(epochs=3))
    differs = other["paper"] != other["ours"]
    assert other.loc[differs, "setting"].tolist() == ["n_qubits", "epochs"]


def test_the_recorded_segments_are_counted_as_in_table_8():
    table = tables.splits({"ours": load_segments("P")}).set_index("count")
    for name in TABLE_8:
        expected = "75.0" if name == "mean held-out segments" else table.loc[name, "paper"]
        assert table.loc[name, "ours"] == expected, name


def test_leads_cell_by_cell_are_onset_less_first_activation(planted_run):
    study, result = planted_run.study, planted_run.primary
    table = tables.leads_by_cell(study, result)
    assert table["cell"].tolist() == study.index.cell_ids.tolist()
    known = table[(table["first at segment"] != "-") & (table["onset of degradation"] != "-")]
    assert len(known) > 5
    lead = known["onset of degradation"].astype(int) - known["first at segment"].astype(int)
    assert known["lead [segments]"].astype(int).tolist() == lead.tolist()
    none = planted_run.controls["random"]
    assert (tables.leads_by_cell(study, none) is None) == (none.candidate is None)


def test_every_method_has_its_metrics_as_far_as_they_were_measured(planted_run):
    figures = {"test_mse_pooled": {"mean": 1.23456}, "codes_used": 8.0, "perplexity": 5.25}
    figures |= {"ari_over_seeds": None, "ami_over_seeds": None}
    evaluation = {"methods": {"given": figures, "vae-kmeans": figures}}
    table = tables.measures(evaluation, {"given": planted_run.primary}).set_index("method")
    own, other = table.loc["given"], table.loc["vae-kmeans"]
    assert own["unseen cells, MSE"] == "1.235" and own["codebook used"] == "25%"
    nested, leads = planted_run.primary.nested, planted_run.primary.nested_leads
    assert own["consistency: rho on unseen cells (pW)"].startswith(f"{nested.rho:.2f} (")
    assert own["median lead, segments (p)"].startswith(f"{leads.median:g} (")
    assert other["consistency: rho on unseen cells (pW)"] == "not run"
    assert other["stability over seeds, ARI / AMI"] == "- / -"


def test_fields_of_the_answer_are_those_of_its_schema():
    table = tables.answer_fields(["no knee"]).set_index("field")
    assert table.loc["curve_morphology.key_shapes", "measured"] == "no knee"
    assert table.loc["confidence", "type"] == "one of low, med, high"
    assert table.loc["mechanism_hypotheses[].expected_symptoms", "required"] == "no"
    assert (table["measured"] != "").sum() == 1 and np.isin(table["required"], ["yes", "no"]).all()
