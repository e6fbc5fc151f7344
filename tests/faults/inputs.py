"""Every kind of file that the dataset and its benchmark read from outside, and how they read it."""

from __future__ import annotations

import dataclasses
import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from benchmark import evaluate_model, load_task
from benchmark.baselines import get_model
from benchmark.data import load_truth
from benchmark.leaderboard.boards import leaderboard
from benchmark.leaderboard.submissions import check, read_submission
from benchmark.predictions import score_predictions
from benchmark.results import read_predictions, read_results, result_files, write_results
from benchmark.rounds import Answers
from benchmark.tasks import get_task
from bridge.audit.leakage import read_split
from bridge.audit.promises import audit_release
from bridge.corpus import run as corpus
from bridge.measured.adopt import read_measured
from bridge.release.bundle import import_bundle
from bridge.v2 import ScanMap
from bridge.v2.inputs import fit_upstream, simulated_upstream
from dataset_card.contract.schema import CHANNELS
from dataset_card.running.parallel import Engine
from dataset_card.storage.faults import FaultyInput
from dataset_card.storage.reading import read_manifest, read_rows
from tests import corpora
from tests.faults.bench import Bench, Input


def release_inputs(bench: Bench) -> dict[str, Input]:
    """Releases, their parts and what they are made from, by name."""
    made = bench.folder / "made"
    out = bench.folder / "imported"
    rows = f"data/clean/by-cell-test/{next((bench.release / 'data' / 'clean' / 'by-cell-test').iterdir()).name}"
    found = {
        "manifest": Input(bench.release, read_manifest, ("manifest.json",), 8),
        "split": Input(
            bench.release, lambda folder: read_split(folder / "splits" / "by_cell_primary.json"),
            ("splits/by_cell_primary.json",),
        ),
        "rows": Input(bench.release, lambda folder: read_rows(folder / rows), (rows,)),
        "release": Input(bench.release, audit_release, share=1),
        "bundle": Input(
            _of(made / "bundle", bench.bundle),
            lambda folder: import_bundle(folder / bench.bundle.name, out, replace=True),
            share=2,
        ),
        "corpus": Input(_corpus(made / "corpus"), lambda folder: corpus.verify(folder, Engine(jobs=1)), share=1),
    }  # fmt: skip
    (made / "map").mkdir()
    fit_upstream(simulated_upstream()).save(made / "map" / "map.npz")
    found["scan map"] = Input(made / "map", lambda folder: ScanMap.load(folder / "map.npz"))
    return found


def laboratory_inputs(bench: Bench) -> dict[str, Input]:
    """What a laboratory hands to `adopt`: scans in three forms, labels in three, a channel map, a split."""
    import h5py

    folder = bench.folder / "laboratory"
    folder.mkdir()
    table = read_rows(next((bench.release / "data" / "clean" / "by-cell-test").iterdir())).slice(0, 12)
    scans = np.stack([np.stack(table[name].to_pylist()) for name in CHANNELS], axis=-1)
    ids = [f"s{i:02d}" for i in range(len(scans))]
    frame = table.select(["cell_id", "chemistry", "voltage", "soc", "soh"]).to_pandas()
    frame.insert(0, "scan_id", ids)
    frame["cell_id"] = [f"lab{i % 6}" for i in range(len(frame))]
    frame["soh"] = [0.7 + 0.04 * (i % 6) for i in range(len(frame))]
    frame.to_csv(folder / "labels.csv", index=False)
    frame.to_parquet(folder / "labels.parquet", index=False)
    frame.to_excel(folder / "labels.xlsx", index=False)
    columns = {name: list(scans[:, :, c]) for c, name in enumerate(CHANNELS)}
    pq.write_table(pa.table({"scan_id": ids, **columns}), folder / "scans.parquet")
    (folder / "scans").mkdir()
    with h5py.File(folder / "scans.h5", "w") as file:
        for scan_id, scan in zip(ids, scans):
            text = "\n".join(",".join(f"{x:.6f}" for x in step) for step in scan)
            (folder / "scans" / f"{scan_id}.csv").write_text(",".join(CHANNELS) + "\n" + text + "\n")
            for c, name in enumerate(CHANNELS):
                file.create_dataset(f"{scan_id}/{name}", data=scan[:, c])
    axes = {name: name[-1] for name in CHANNELS[:4]}
    channels = {name: {"column": name, "unit": "nT", "axis": axis, "sign": 1} for name, axis in axes.items()}
    (folder / "channels.yaml").write_text(yaml.safe_dump({"channels": channels}))
    cells = sorted(set(frame["cell_id"]))
    split = {"train": cells[:4], "validation": cells[4:5], "test": cells[5:]}
    (folder / "split.json").write_text(json.dumps(split))

    def read(folder: Path, signals: str = "scans.parquet", labels: str = "labels.csv") -> None:
        try:
            read_measured(folder / signals, folder / labels, folder / "channels.yaml", folder / "split.json")
        except FaultyInput as error:
            assert all("\n" not in str(fault) for fault in error.faults)

    return {
        "scans, Parquet": Input(folder, read, ("scans.parquet",)),
        "scans, HDF5": Input(folder, partial(read, signals="scans.h5"), ("scans.h5",)),
        "scans, CSV": Input(folder, partial(read, signals="scans"), tuple(f"scans/{i}.csv" for i in ids)),
        "labels, CSV": Input(folder, read, ("labels.csv",)),
        "labels, Parquet": Input(folder, partial(read, labels="labels.parquet"), ("labels.parquet",)),
        "labels, workbook": Input(folder, partial(read, labels="labels.xlsx"), ("labels.xlsx",)),
        "channel map": Input(folder, read, ("channels.yaml",)),
        "own split": Input(folder, read, ("split.json",)),
    }


def benchmark_inputs(bench: Bench) -> dict[str, Input]:
    """Predictions, results, submissions and fitted baselines."""
    from benchmark.baselines.hub import baseline_files, fit_baseline, read_baseline

    folder = bench.folder / "benchmark"
    folder.mkdir()
    data = {task: load_task(task, bench.release) for task in ("t1", "t2")}
    results = [evaluate_model(task, get_model("ridge" if task == "t1" else "constant"), data[task]) for task in data]
    write_results(results, folder / "results")
    mine = dataclasses.replace(results[0], model="my-model", description="A model.")
    mine.save(
        folder / "my-model",
        authors=["Ada"],
        licence="MIT",
        trained_on=[],
        pooling="scan",
        code="https://example.org/code",
    )
    predictions = folder / "predictions"
    predictions.mkdir()
    shutil.copy(folder / "my-model" / "t1.parquet", predictions / "p.parquet")
    frame = pq.read_table(predictions / "p.parquet").to_pandas()
    frame.to_csv(predictions / "p.csv", index=False)
    frame.to_json(predictions / "p.jsonl", orient="records", lines=True)
    labels = load_truth(get_task("t2"), bench.release, "by_cell_primary")
    with open(predictions / "labels.csv", "w") as file:
        file.writelines(f"{a},{b}\n" for a, b in [("sample_id", "prediction"), *zip(labels.sample_ids, labels.target)])
    (folder / "baseline").mkdir()
    for name, content in baseline_files(fit_baseline("t1", "ridge", data["t1"]), "user/name").items():
        (folder / "baseline" / name).write_bytes(content)

    def score(copy: Path, name: str, task: str = "t1") -> object:
        return score_predictions(copy / name, task, bench.release)

    def rank(copy: Path) -> None:
        read = read_results(copy)
        leaderboard(read)
        read_predictions(result_files(copy)[0], read)

    def baseline(copy: Path) -> object:
        return read_baseline({path.name: path.read_bytes() for path in copy.iterdir()}, "user/name")

    found = {
        f"predictions, {name}": Input(predictions, partial(score, name=name, task=task), (name,))
        for name, task in (("p.parquet", "t1"), ("p.csv", "t1"), ("p.jsonl", "t1"), ("labels.csv", "t2"))
    }
    return found | {
        "results": Input(folder / "results", rank, share=6),
        "submission": Input(
            folder / "my-model",
            lambda copy: check(read_submission(copy, False), Answers(bench.release), results[1:]),
            share=6,
        ),
        "baseline": Input(folder / "baseline", baseline, share=2),
    }


def _of(folder: Path, source: Path) -> Path:
    """A folder that holds nothing but a copy of a file."""
    folder.mkdir(parents=True)
    shutil.copy(source, folder)
    return folder


def _corpus(out: Path) -> Path:
    corpus.build(corpora.plan(out, seeds=1), Engine(jobs=1))
    return out
