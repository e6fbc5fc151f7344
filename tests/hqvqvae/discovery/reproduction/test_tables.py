"""The paper's tables from our own code: what must agree with the paper does."""

import numpy as np

from hqvqvae import HQVQVAEConfig, load_segments
from hqvqvae.cells.features import FEATURES
from hqvqvae.discovery.paper_values import listing
from hqvqvae.discovery.reproduction import tables
from hqvqvae.hub.sentences import WORDS
from hqvqvae.training.fit import TrainingConfig


def test_our_paper_configuration_and_training_are_those_of_table_7():
    table = tables.settings(HQVQVAEConfig.named("paper"), TrainingConfig())
    assert len(table) == 17
    same = table["hyperparameter"] != "Input features"  # the paper prints some of them, in its own symbols
    assert table.loc[same, "paper"].tolist() == table.loc[same, "ours"].tolist()
    other = tables.settings(HQVQVAEConfig.named("paper", n_qubits=4), TrainingConfig(epochs=3))
    differs = same & (other["paper"] != other["ours"])
    assert other.loc[differs, "hyperparameter"].tolist() == ["PQC qubits", "Epochs"]


def test_the_recorded_segments_are_counted_as_in_tables_4_and_8():
    table = tables.splits({"ours": load_segments("P")})
    assert table["count"].tolist() == list(listing(4))
    assert table["paper"].astype(float).round().tolist() == table["ours"].astype(float).round().tolist()
    cohorts = tables.datasets(load_segments("P"))
    for name in ("batteries", "segments", "cycles"):
        assert cohorts[name].tolist() == cohorts[f"{name}, ours"].tolist(), name


def test_the_features_are_those_of_tables_1_and_3():
    assert tables.features()["feature"].tolist() == [*FEATURES, "cycle_index"]
    table = tables.inputs(HQVQVAEConfig.named("paper"))
    assert table["feature"].tolist() == list(FEATURES) and (table["used, ours"] == "yes").all()
    few = tables.inputs(HQVQVAEConfig(feature_names=["v_min"]))
    assert few.loc[few["used, ours"] == "yes", "feature"].tolist() == ["v_min"]


def test_every_method_of_table_5_has_an_error_of_ours_and_ours_alone_come_after():
    figures = {name: {"test_mse_pooled": {"mean": 0.5, "std": None}} for name in tables.BASELINES}
    table = tables.baselines({"methods": figures})
    assert table["method"].tolist()[:5] == list(WORDS["printed_as"]) and (table["method"][5:] == "-").all()
    assert len(table) == len(figures) and (table["ours, unseen cells, MSE"] == "0.500").all()


def test_the_environment_is_ours():
    environment = tables.environment().set_index("item")["ours"]
    assert environment["numpy"] == np.__version__ and "bytes" in environment["timestamp"]


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


def test_fields_of_the_answer_are_those_of_tables_6_and_12():
    table = tables.answer_fields(["no knee"]).set_index("field")
    assert table.loc["curve_morphology.key_shapes", "measured"] == "no knee"
    assert table.loc["confidence", "type, ours"] == "one of low, med, high"
    assert not (table["type, ours"] == "none").any()
    differs = table.index[table["required, paper"] != table["required, ours"]]
    assert differs.tolist() == ["curve_morphology.key_shapes"]  # the object that holds nothing else is required
    assert (tables.schema_fields()["ours"] == "yes").all()
