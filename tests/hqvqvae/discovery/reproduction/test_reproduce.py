"""The short form of the reproduction: every artefact is there, drawn or said to be missing, and the files agree."""

import json

import pytest

from dataset_card.errors import MagBridgeError
from dataset_card.storage.documents import json_text, write_json
from hqvqvae.discovery.reproduction import reproduce as module
from hqvqvae.discovery.reproduction.reproduce import SHORT_CELLS, reproduce
from hqvqvae.hub.model_card import EVALUATION, STUDY, read_record
from hqvqvae.modeling_hqvqvae import PACKAGED

# What stands where in the paper, read from its text by hand.
IN_THE_PAPER = {
    "Table 1": "Feature list used in the model",
    "Table 2": "Generalization summary on unseen cells",
    "Table 3": "Final input feature set",
    "Table 4": "Train/test split details",
    "Table 5": "Baseline methods",
    "Table 6": "JSON schema for LLM-assisted interpretation",
    "Table 7": "Training hyperparameters",
    "Table 8": "Dataset summary",
    "Table 9": "Compute environment",
    "Table 10": "Precursor robustness metrics",
    "Table 11": "Consolidated LLM-assisted interpretations",
    "Table 12": "JSON schema used for LLM-assisted interpretation outputs",
    "Figure 1": "Compact pipeline diagram",
    "Figure 2": "Lead-time",
    "Figure 3": "Heatmap of discrete code assignments",
    "Figure 4": "Relationship between early activation of Code 10 and a late-stage degradation proxy",
    "Figure 5": "HQ-VQVAE architecture",
    "Figure 6": "Discrete code assignment over cycles",
    "Figure 7": "Cross-cell evaluation protocol",
    "Figure 8": "Cross-cell split",
}
NAMES = [*IN_THE_PAPER, "Metrics", "Cell by cell", "Circuit", "Codebook"]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    out = tmp_path_factory.mktemp("paper") / "report"
    return out, reproduce(out, seeds=[0], short=True)


def test_every_table_and_figure_of_the_paper_has_its_place(report):
    out, result = report
    assert [artefact["name"] for artefact in result["artefacts"]] == NAMES
    for artefact in result["artefacts"][:20]:
        assert artefact["title"].startswith(IN_THE_PAPER[artefact["name"]])
    text = (out / "report.md").read_text()
    places = [text.index(f"## {name}: ") for name in NAMES]
    assert places == sorted(places)
    for artefact in result["artefacts"]:
        if artefact["figure"]:
            assert (out / artefact["figure"]).read_bytes().startswith(b"\x89PNG") and artefact["figure"] in text
        else:
            assert artefact["table"] or f"*No table or figure.* {artefact['note']}" in text
    assert len(list((out / "figures").iterdir())) == 8 + 2 + 1  # circuit and codebook, and that of power
    assert json.loads((out / "report.json").read_text()) == json.loads(json_text(result))


def test_where_no_code_is_eligible_it_is_said_in_table_and_figure(report):
    _, result = report
    assert result["discovery"]["controls"]["paper"]["table_10"] is None  # six epochs leave one code
    by_name = {artefact["name"]: artefact for artefact in result["artefacts"]}
    for name in ("Table 2", "Table 10", "Cell by cell", "Figure 2", "Figure 4"):
        assert "No code of `paper`" in by_name[name]["note"]
    assert by_name["Cell by cell"]["table"] is None


def test_the_report_quotes_power_study_and_prompt_and_says_that_it_is_short(report):
    text = (report[0] / "report.md").read_text()
    assert "Short form with four cells" in text and "the smallest effect that 20 cells" in text.replace("The", "the")
    assert read_record(PACKAGED / STUDY)["verdict"] in text
    assert "Spearman of the paper's best code, 0.65 over all cells" in text
    assert '"curve_shape": ["from ' in text


def test_errors_of_a_file_of_evaluate_are_taken_and_another_file_is_refused(report, tmp_path, monkeypatch):
    out, result = report
    file = tmp_path / "evaluation.json"
    write_json(file, {"evaluations": [result["evaluation"]]})
    segments = module.load_segments("C")
    few = segments[segments["cell_id"].isin(SHORT_CELLS)].reset_index(drop=True)
    assert module._read_evaluation(file, few, [0]) == json.loads(json_text(result["evaluation"]))
    for wrong, seeds in ((segments, [0]), (few, [1])):
        with pytest.raises(MagBridgeError, match="is for other segments, or for other seeds than"):
            module._read_evaluation(file, wrong, seeds)
    for content in ("{", "[]", '{"evaluations": []}', '{"evaluations": [{"leave_out": "cell"}]}'):
        file.write_text(content)
        with pytest.raises(MagBridgeError, match="has no record by cell"):
            module._read_evaluation(file, few, [0])
    packaged = module._read_evaluation(PACKAGED / EVALUATION, segments, [0, 1, 2])
    assert set(module.tables.BASELINES) <= set(packaged["methods"])


def test_a_folder_in_use_and_no_seed_are_refused(report, tmp_path):
    with pytest.raises(MagBridgeError, match="contains a reproduction: expected another"):
        reproduce(report[0], short=True)
    with pytest.raises(MagBridgeError, match="at least one seed"):
        reproduce(tmp_path / "new", seeds=[], short=True)
