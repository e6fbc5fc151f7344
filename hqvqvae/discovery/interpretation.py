"""Hypotheses on what a code means: an instruct model is asked afterwards and answers in JSON (section 5 of the paper).

Nothing here feeds back into codes or statistics. Every answer is labelled as an unverified hypothesis and logged with
the prompt, the model and its revision, the decoding settings and the time.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dataset_card.errors import MagBridgeError
from dataset_card.storage.documents import write_json
from dataset_card.storage.files import replacing

from ..cells.download import packaged_document
from ..cells.proxies import index_cells
from ..hub.sentences import render
from .controls import feature_columns
from .figure_data import key_shapes
from .figures import read_frame

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

DEFAULT_MODEL = "LGAI-EXAONE/EXAONE-4.0-1.2B"  # the paper used a model from the EXAONE family
MAX_NEW_TOKENS = 900
MAX_ANSWER_BYTES = 1 << 20
PLAIN_CHAT = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n\n{% endfor %}assistant: "
"""Chat template for models that have none."""
LABEL = "unverified hypotheses: written by a language model from summary statistics, not checked by any experiment"

SYSTEM = render("system.md", {})


def answer_schema() -> dict[str, Any]:
    """Load the JSON Schema of an answer: the fields of section 5 of the paper."""
    return packaged_document("interpretation.schema.json")


def summarise_code(segments: pd.DataFrame, code: int, shapes: Sequence[str] = ()) -> dict[str, Any]:
    """Summarise the segments with one code.

    Args:
        segments: Valid segments ordered by cell and cycle, with `code` and the features.
        code: The code.
        shapes: Its mean discharge curve in phrases (`figure_data.key_shapes`), if there are curves.

    Returns:
        Counts, cells, cohorts, position in life, the shape of the curve, and per feature the mean and the deviation
        from all segments in standard deviations.

    Raises:
        MagBridgeError: If no segment has the code.
    """
    mine = (segments["code"] == code).to_numpy()
    if not mine.any():
        known = ", ".join(map(str, sorted(segments["code"].unique())))
        raise MagBridgeError(f"no segment has code {code}; expected one of {known}")
    index = index_cells(segments)
    life = index.life[mine]
    rows = segments[mine]
    features = {}
    for name in feature_columns(segments):
        everything = segments[name].to_numpy(dtype=float)
        spread = float(everything.std())
        mean = float(everything[mine].mean())
        z = (mean - float(everything.mean())) / spread if spread > 0 else 0.0
        features[name] = {"mean": float(f"{mean:.4g}"), "z": round(z, 2)}
    summary: dict[str, Any] = {"code_id": int(code), "segments": int(mine.sum())}
    summary["share_of_all"] = round(float(mine.mean()), 4)
    names = {"cells": rows["cell_id"], "cohorts": rows["cohort"]}
    summary |= {kind: sorted(map(str, values.unique())) for kind, values in names.items()}
    place = {"mean": round(float(life.mean()), 2), "first_third": round(float(np.mean(life < 1 / 3)), 2)}
    shape = {"curve_shape": list(shapes)} if shapes else {}
    return summary | {"place_in_life": place} | shape | {"features": features}


def prompt_for(summary: dict[str, Any]) -> str:
    """Render the prompt for one code: its summary, the units, and the JSON Schema of the answer."""
    from ..cells.features import FEATURE_UNITS

    units = {name: FEATURE_UNITS[name] for name in summary["features"] if name in FEATURE_UNITS}
    shown = {"units": units, "summary": summary, "schema": answer_schema()}
    texts = {name: json.dumps(value) for name, value in shown.items()}
    return render("prompt.md", texts | {"code_id": summary["code_id"]})


def parse_answer(text: str, code: int) -> dict[str, object]:
    """Extract the JSON object from a model's output and check it against the schema.

    Prose or a code fence around the object is ignored; nothing else is repaired.

    Args:
        text: The model's output.
        code: The code that the prompt was about.

    Returns:
        The answer.

    Raises:
        MagBridgeError: If there is no object, it violates the schema, or it is about another code.
    """
    import jsonschema

    start = text.find("{")
    if start < 0:
        raise MagBridgeError("the output contains no JSON object")
    try:
        answer, _ = json.JSONDecoder(parse_constant=_refuse_constant).raw_decode(text[start:])
    except (ValueError, RecursionError) as error:
        raise MagBridgeError(f"the output is not JSON: {error}") from None
    problem = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(answer_schema()).iter_errors(answer))
    if problem is not None:
        raise MagBridgeError(f"the JSON violates the schema at {problem.json_path}: {problem.message[:300]}")
    if answer["code_id"] != code:
        raise MagBridgeError(f"code_id is {answer['code_id']}, expected {code}")
    return answer


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


@dataclass(frozen=True)
class Interpreter:
    """A causal language model with its tokenizer, decoding greedily."""

    name: str
    revision: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    @classmethod
    def load(cls, name: str) -> Interpreter:
        """Load an instruct model from a local path or the Hub, without running code from its repository.

        Raises:
            MagBridgeError: If transformers cannot load it.
        """
        from transformers import AutoModelForCausalLM, AutoTokenizer

        try:
            tokenizer = AutoTokenizer.from_pretrained(name)
            model = AutoModelForCausalLM.from_pretrained(name, use_safetensors=True).eval()  # never a pickle
        except Exception as error:  # transformers and the Hub client raise a dozen types for other files
            why = f"cannot be loaded as a causal language model: {str(error).strip().splitlines()[0]}"
            fix = "the path of one with safetensors weights (`save_pretrained`), or use --dry-run to write prompts only"
            raise MagBridgeError(f"{name} {why}; give {fix}") from error
        return cls(name, _revision(name, model), model, tokenizer)

    def settings(self) -> dict[str, object]:
        """Return the decoding settings and the library versions."""
        versions = {name: metadata.version(name) for name in ("transformers", "torch")}
        return {"decoding": "greedy", "max_new_tokens": MAX_NEW_TOKENS, **versions}

    def generate(self, messages: list[dict[str, str]]) -> str:
        """Continue a conversation greedily."""
        tokenizer = self.tokenizer
        template = tokenizer.chat_template or PLAIN_CHAT
        chat: dict[str, Any] = {"chat_template": template, "tokenize": False, "add_generation_prompt": True}
        text = tokenizer.apply_chat_template(messages, **chat)
        inputs = tokenizer(text, return_tensors="pt", add_special_tokens=not tokenizer.chat_template)
        ids = inputs["input_ids"]
        limit = getattr(self.model.config, "max_position_embeddings", None) or sys.maxsize
        if ids.shape[1] >= limit:
            read = f"the prompt has {ids.shape[1]} tokens, but {self.name} reads {limit}"
            raise MagBridgeError(f"{read}; use a model with a longer context")
        pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
        new = min(MAX_NEW_TOKENS, limit - ids.shape[1])
        decoding = {"max_new_tokens": new, "do_sample": False, "pad_token_id": pad}
        out = self.model.generate(ids, attention_mask=inputs["attention_mask"], **decoding)
        return tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)


@dataclass(frozen=True)
class Server:
    """A model behind an OpenAI-compatible server (vLLM, llama.cpp, Ollama ...), decoding greedily."""

    name: str
    url: str
    revision: str = "as served"  # a server does not report it

    def settings(self) -> dict[str, object]:
        """Return the decoding settings requested from the server."""
        return {"decoding": "greedy", "temperature": 0, "max_tokens": MAX_NEW_TOKENS, "server": self.url}

    def generate(self, messages: list[dict[str, str]]) -> str:
        """Continue a conversation.

        Raises:
            MagBridgeError: If there is no answer, or it is not a chat completion.
        """
        import requests

        address = f"{self.url.rstrip('/')}/chat/completions"
        request = {"model": self.name, "messages": messages, "temperature": 0, "max_tokens": MAX_NEW_TOKENS}
        headers = {"Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', 'none')}"}
        try:
            with requests.post(address, json=request, headers=headers, timeout=300, stream=True) as answer:
                answer.raise_for_status()
                body = b"".join(itertools.islice(answer.iter_content(1 << 16), MAX_ANSWER_BYTES >> 16))
            content = json.loads(body)["choices"][0]["message"]["content"]
        except (requests.RequestException, ValueError, LookupError, TypeError) as error:
            why = " ".join(str(error).split())
            raise MagBridgeError(
                f"{self.url} gave no chat completion from {self.name}: {why}; check URL and model"
            ) from error
        return content if isinstance(content, str) else ""


def _revision(name: str, model: PreTrainedModel) -> str:
    """Return the commit of a Hub model, or a SHA-256 over the weight files of a local one."""
    commit = getattr(model.config, "_commit_hash", None)
    if commit:
        return commit
    digest = hashlib.sha256()
    for path in sorted(Path(name).glob("*.safetensors")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"sha256:{digest.hexdigest()}"


def interpret_code(
    generate: Callable[[list[dict[str, str]]], str], summary: dict[str, Any], attempts: int
) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """Ask about one code until the answer parses.

    Decoding is greedy, so each further attempt tells the model what was wrong with the previous one.

    Args:
        generate: Function that continues a conversation.
        summary: Summary of the code.
        attempts: Maximum number of attempts.

    Returns:
        The answer, None if no attempt parsed; and a log entry per attempt (`messages`, `output`, `error`, `time_utc`).
    """
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": prompt_for(summary)}]
    log: list[dict[str, Any]] = []
    for attempt in range(attempts):
        asked = messages
        if log:
            complaint = f"That cannot be used: {log[-1]['error']}. Answer with the JSON object only."
            said = {"role": "assistant", "content": log[-1]["output"][:2000]}
            asked = [*messages, said, {"role": "user", "content": complaint}]
        time = datetime.now(UTC).isoformat(timespec="seconds")
        output = generate(asked)
        entry = {"code_id": summary["code_id"], "attempt": attempt + 1, "time_utc": time, "messages": asked}
        log.append(entry | {"output": output, "error": None})
        try:
            return parse_answer(output, summary["code_id"]), log
        except MagBridgeError as error:
            log[-1]["error"] = str(error)
    return None, log


def interpret_run(
    run: Path,
    *,
    model: str = DEFAULT_MODEL,
    url: str | None = None,
    codes: Sequence[int] | None = None,
    out: Path,
    attempts: int = 3,
    dry_run: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Interpret the codes of a discovery run, and write the answers and a log.

    Args:
        run: Folder that `discover` wrote.
        model: Local path or Hub name of an instruct model, or its name on the server.
        url: Base URL of an OpenAI-compatible server, "http://127.0.0.1:8000/v1"; None to load the model here.
        codes: The codes to ask about; all that occur, by default.
        out: Folder for `interpretation.json` and `log.jsonl`, or for a dry run's `prompts.json`.
        attempts: Maximum number of attempts per code.
        dry_run: Write the prompts only.
        say: Called with each line of progress.

    Returns:
        The content of `interpretation.json` or `prompts.json`.

    Raises:
        MagBridgeError: If the folder is not a run, a code does not occur, or the model cannot be loaded.
    """
    path = run / "segments.csv"
    if not path.is_file():
        raise MagBridgeError(f"{run} has no segments.csv; expected a folder that `discover` wrote")
    segments = read_frame(path)
    chosen = sorted(int(code) for code in segments["code"].unique()) if not codes else list(dict.fromkeys(codes))
    path = run / "figures" / "curves.csv"
    curves = read_frame(path) if path.is_file() else None
    shapes = {code: [] if curves is None else key_shapes(curves, code) for code in chosen}
    summaries = [summarise_code(segments, code, shapes[code]) for code in chosen]
    if dry_run:
        prompts = [{"code_id": s["code_id"], "system": SYSTEM, "prompt": prompt_for(s)} for s in summaries]
        result: dict[str, Any] = {"model": model, "prompts": prompts}
        write_json(out / "prompts.json", result)
        return result
    if url is None:
        say(f"loading {model}")
    interpreter = Interpreter.load(model) if url is None else Server(model, url, f"as served by {url}")
    header = {"status": LABEL, "model": model, "revision": interpreter.revision, "settings": interpreter.settings()}
    answers: list[dict[str, Any]] = []
    log: list[dict[str, Any]] = []
    for summary in summaries:
        say(f"asking about code {summary['code_id']}")
        answer, entries = interpret_code(interpreter.generate, summary, attempts)
        log += [header | entry for entry in entries]
        told = {"code_id": summary["code_id"], "status": LABEL, "interpretation": answer, "attempts": len(entries)}
        answers.append(told | {"error": entries[-1]["error"], "summary": summary})
    retries = sum(answer["attempts"] - 1 for answer in answers)
    result = {**header, "retries": retries, "codes": answers}
    with replacing(out / "log.jsonl") as partial:
        partial.write_text("".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in log), encoding="utf-8")
    write_json(out / "interpretation.json", result)
    return result
