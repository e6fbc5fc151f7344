"""Interpretation end to end with a tiny causal model made here, and with every kind of malformed output."""

import http.server
import json
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dataset_card.errors import MagBridgeError
from hqvqvae.discovery.interpretation import (
    DEFAULT_MODEL,
    LABEL,
    SYSTEM,
    Interpreter,
    interpret_code,
    interpret_run,
    parse_answer,
    prompt_for,
    summarise_code,
)
from tests.hqvqvae.synthetic_cells import PLANTED, planted_study

ANSWER = {
    "code_id": PLANTED,
    "short_name": "early loss",
    "mechanism_hypotheses": [
        {
            "name": "SEI growth",
            "electrochemical_story": "Lithium is bound in a growing layer.",
            "why_this_code_triggers": "Capacity falls at once.",
            "expected_symptoms": ["capacity fade"],
        }
    ],
    "curve_morphology": {"key_shapes": ["shorter plateau"]},
    "confidence": "low",
}


@pytest.fixture
def segments():
    table, coding = planted_study(0, n_cells=6)
    return table.assign(code=coding.reference)


@pytest.fixture
def run(tmp_path, segments):
    segments.to_csv(tmp_path / "segments.csv", index=False)
    return tmp_path


def tiny_model(folder, answer: str, context: int = 8192):
    """A Llama whose next token depends on the last only: after the assistant's mark comes the answer, then the end."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    names = ["[UNK]", "</s>", "<|assistant|>", answer]
    words = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, unk_token="[UNK]"))
    words.pre_tokenizer, words.decoder = pre_tokenizers.WhitespaceSplit(), decoders.Fuse()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]", eos_token="</s>")
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|assistant|>"]})
    tokenizer.chat_template = (
        "{% for message in messages %}{{ message.content }} {% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    config = LlamaConfig(
        vocab_size=4, hidden_size=4, intermediate_size=4, num_hidden_layers=1, num_attention_heads=1,
        max_position_embeddings=context, tie_word_embeddings=False, bos_token_id=None, eos_token_id=1,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    following = [0, 1, 3, 1]  # unknown -> unknown, end -> end, assistant -> answer, answer -> end
    with torch.no_grad():
        for weight in (model.model.layers[0].self_attn.o_proj.weight, model.model.layers[0].mlp.down_proj.weight):
            weight.zero_()
        model.model.embed_tokens.weight.copy_(torch.eye(4))
        model.lm_head.weight.copy_(torch.eye(4)[following].T)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def test_end_to_end_writes_answers_and_the_full_log(run, tmp_path):
    model = tiny_model(tmp_path / "model", json.dumps(ANSWER))
    result = interpret_run(run, model=model, codes=[PLANTED], out=tmp_path / "out")
    written = json.loads((tmp_path / "out" / "interpretation.json").read_text())
    assert written == result
    assert written["status"] == LABEL and "unverified" in LABEL
    (code,) = written["codes"]
    assert code["interpretation"] == ANSWER and code["status"] == LABEL and code["attempts"] == 1
    (entry,) = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    assert entry["model"] == model and entry["revision"].startswith("sha256:") and len(entry["revision"]) == 71
    assert entry["settings"]["decoding"] == "greedy" and entry["settings"]["max_new_tokens"] > 0
    assert entry["messages"][0] == {"role": "system", "content": SYSTEM}
    assert json.loads(entry["output"]) == ANSWER
    assert entry["time_utc"].endswith("+00:00") and entry["error"] is None


def test_a_model_that_speaks_of_another_code_is_tried_again_and_reported(run, segments, tmp_path):
    other = int(segments["code"].min())
    model = tiny_model(tmp_path / "model", json.dumps(ANSWER))
    result = interpret_run(run, model=model, codes=[other], out=tmp_path / "out", attempts=2)
    (code,) = result["codes"]
    assert code["interpretation"] is None and code["attempts"] == 2
    assert code["error"] == f"code_id is {PLANTED}, expected {other}"
    log = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    assert [entry["attempt"] for entry in log] == [1, 2]
    assert log[0]["error"] in log[1]["messages"][-1]["content"]  # the second try is told what was wrong


def test_a_model_that_babbles_leaves_no_interpretation(run, tmp_path):
    model = tiny_model(tmp_path / "model", "As-an-AI-I-think")
    result = interpret_run(run, model=model, codes=[PLANTED], out=tmp_path / "out")
    assert result["codes"][0]["interpretation"] is None
    assert result["codes"][0]["error"] == "the output contains no JSON object"


def test_decoding_is_greedy_and_repeats(tmp_path):
    interpreter = Interpreter.load(tiny_model(tmp_path / "model", json.dumps(ANSWER)))
    messages = [{"role": "user", "content": "code?"}]
    assert interpreter.generate(messages) == interpreter.generate(messages) == json.dumps(ANSWER)


def test_a_prompt_beyond_the_context_is_refused(run, tmp_path):
    model = tiny_model(tmp_path / "model", json.dumps(ANSWER), context=16)
    with pytest.raises(MagBridgeError, match=r"the prompt has \d+ tokens, but .* reads 16"):
        interpret_run(run, model=model, codes=[PLANTED], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_path_without_a_model_is_refused(run, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(MagBridgeError, match="cannot be loaded as a causal language model"):
        interpret_run(run, model=str(tmp_path / "empty"), out=tmp_path / "out")


def test_pickled_weights_are_never_read(run, tmp_path):
    import torch

    model = Path(tiny_model(tmp_path / "model", json.dumps(ANSWER)))
    torch.save({}, model / "pytorch_model.bin")
    (model / "model.safetensors").unlink()
    with pytest.raises(MagBridgeError, match=r"no file named model\.safetensors .*`save_pretrained`"):
        interpret_run(run, model=str(model), out=tmp_path / "out")


def test_dry_run_writes_prompts_and_loads_nothing(run, segments, tmp_path):
    result = interpret_run(run, model="/no/such/model", out=tmp_path / "out", dry_run=True)
    written = json.loads((tmp_path / "out" / "prompts.json").read_text())
    assert written == result
    assert [prompt["code_id"] for prompt in written["prompts"]] == sorted(segments["code"].unique())
    assert not (tmp_path / "out" / "interpretation.json").exists()


def test_the_prompt_tells_the_shape_of_the_curve_where_the_run_has_curves(run, tmp_path):
    time = np.linspace(0, 1, 21)
    curves = pd.DataFrame({"code": PLANTED, "segments": 5, "time": time, "voltage_V": 4.1 - time})
    (run / "figures").mkdir()
    curves.to_csv(run / "figures" / "curves.csv", index=False)
    result = interpret_run(run, codes=[PLANTED, 8], out=tmp_path / "out", dry_run=True)
    planted, other = (prompt["prompt"] for prompt in result["prompts"])
    assert '"curve_shape": ["from 4.10 V to 3.10 V over the load window"' in planted and "key_shapes" in planted
    assert '"curve_shape": [' not in other


def test_retry_succeeds_on_the_second_output(segments):
    outputs = iter(['Sure! {"code_id": 7', json.dumps(ANSWER)])
    answer, log = interpret_code(lambda messages: next(outputs), summarise_code(segments, PLANTED), 3)
    assert answer == ANSWER
    assert len(log) == 2 and log[0]["error"].startswith("the output is not JSON") and log[1]["error"] is None


class Chat(http.server.BaseHTTPRequestHandler):
    """A chat-completions endpoint that gives the outputs of its server one after the other."""

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.path, self.headers["Authorization"], request))
        body = self.server.outputs.pop(0)
        if isinstance(body, str):
            body = json.dumps({"choices": [{"message": {"role": "assistant", "content": body}}]}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def chat():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Chat) as server:
        server.requests, server.outputs = [], []
        server.url = f"http://127.0.0.1:{server.server_port}/v1"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_server_is_asked_greedily_retries_are_counted_and_all_is_logged(run, chat, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    chat.outputs += ['{"code_id": 7', "no", json.dumps(ANSWER)]
    result = interpret_run(run, url=chat.url, codes=[PLANTED], out=tmp_path / "out")
    assert result["model"] == DEFAULT_MODEL and result["retries"] == 2
    assert result["codes"][0]["interpretation"] == ANSWER and result["codes"][0]["attempts"] == 3
    path, key, request = chat.requests[0]
    assert (path, key) == ("/v1/chat/completions", "Bearer secret")
    assert (request["model"], request["temperature"], request["max_tokens"]) == (DEFAULT_MODEL, 0, 900)
    assert "cannot be used" in chat.requests[1][2]["messages"][-1]["content"]
    log = (tmp_path / "out" / "log.jsonl").read_text()
    assert [json.loads(line)["attempt"] for line in log.splitlines()] == [1, 2, 3] and "secret" not in log


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b'{"choices": []}', b'{"choices": [{"message": 3}]}'])
def test_a_server_that_answers_something_else_is_named(run, chat, tmp_path, body):
    chat.outputs.append(body)
    with pytest.raises(MagBridgeError, match="gave no chat completion from tiny"):
        interpret_run(run, model="tiny", url=chat.url, codes=[PLANTED], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def without(key):
    return {name: value for name, value in ANSWER.items() if name != key}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no JSON object"),
        ("[1, 2]", "no JSON object"),
        ("{'code_id': 7}", "is not JSON"),
        (json.dumps(ANSWER)[:-1], "is not JSON"),
        ('{"code_id": NaN}', "NaN is not JSON"),
        ("{" * 3000, "is not JSON"),
        ('{"a":' * 100000, "is not JSON"),
        (json.dumps(without("confidence")), "'confidence' is a required property"),
        (json.dumps(without("mechanism_hypotheses")), "'mechanism_hypotheses' is a required property"),
        (json.dumps(ANSWER | {"confidence": "certain"}), r"\$.confidence"),
        (json.dumps(ANSWER | {"code_id": "7"}), r"\$.code_id"),
        (json.dumps(ANSWER | {"code_id": 8}), "code_id is 8, expected 7"),
        (json.dumps(ANSWER | {"mechanism_hypotheses": []}), r"\$.mechanism_hypotheses"),
        (json.dumps(ANSWER | {"cure": "none"}), "Additional properties"),
        (json.dumps(ANSWER | {"curve_morphology": {"key_shapes": "flat"}}), r"\$.curve_morphology.key_shapes"),
    ],
)
def test_malformed_outputs_are_named(text, message):
    with pytest.raises(MagBridgeError, match=message):
        parse_answer(text, PLANTED)


@pytest.mark.parametrize("wrap", ["{}", "```json\n{}\n```", "Here it is:\n{}\nHope this helps {{smile}}"])
def test_prose_around_the_object_is_let_pass(wrap):
    text = wrap.replace("{}", json.dumps(ANSWER)) if "{{" in wrap else wrap.format(json.dumps(ANSWER))
    assert parse_answer(text, PLANTED) == ANSWER


def test_summary_by_hand(segments):
    summary = summarise_code(segments, PLANTED)
    mine = segments[segments["code"] == PLANTED]
    assert summary["segments"] == len(mine)
    assert summary["cells"] == sorted(mine["cell_id"].unique())
    assert summary["place_in_life"]["first_third"] == 1.0
    z = (mine["capacity"].mean() - segments["capacity"].mean()) / np.std(segments["capacity"])
    assert summary["features"]["capacity"]["z"] == pytest.approx(z, abs=0.0051)
    assert "code_id 7" in prompt_for(summary)
    assert json.dumps(summary) in prompt_for(summary)


def test_a_code_that_does_not_occur_is_named(segments):
    with pytest.raises(MagBridgeError, match="no segment has code 99"):
        summarise_code(segments, 99)


def test_a_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(MagBridgeError, match="has no segments.csv"):
        interpret_run(tmp_path, out=tmp_path / "out", dry_run=True)
