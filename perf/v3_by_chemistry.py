"""Print the R2 of T7 to T9 by chemistry from the filed predictions, together with the scores of a prototype of v3.

    python perf/v3_by_chemistry.py magbridge-battery-v3

The prototype had no mounting errors and no maps in T7, had two modes of diffusion in T8 and T9, and scored healthy
cells.
"""

import argparse
from pathlib import Path

import pyarrow.parquet as pq

from benchmark.results import SHIPPED, read_results
from benchmark.results.filing import read_predictions
from benchmark.tasks import get_task
from dataset_card.contract.schema import MASTER_SEED

READERS = {
    "t7": ("ridge-terminals", "matched-filters", "boosting-magnetics"),
    "t8": ("boosting-terminals", "boosting-magnetics", "boosting-both"),
    "t9": ("ridge-terminals", "ridge-magnetics", "ridge-both"),
}
PROTOTYPE = {
    ("t7", "NMC"): "-.00 (terminals), .80, .97 (charge known)",
    ("t7", "LFP"): ".50, .95 (charge known)",
    ("t8", "NMC"): ".155 (terminals), .263, .579 (both)",
    ("t8", "LFP"): "-.01 (terminals), -.01, .00 (both)",
    ("t9", "NMC"): ".912 (terminals), .893 (both)",
    ("t9", "LFP"): ".132 (terminals), .110 (both)",
}


def main() -> None:
    """Print one line per task and chemistry."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("release", type=Path, help="v3 release with the default seed")
    labels = pq.read_table(parser.parse_args().release / "metadata.parquet").to_pandas().set_index("sample_id")
    (path,) = (SHIPPED / "v3").glob(f"*seed-{MASTER_SEED}-*.jsonl")
    results = [r for r in read_results(path) if r.protocol == "full" and r.model in READERS.get(r.task, ())]
    tables = read_predictions(path, results)
    found = {(r.task, r.model): tables[r.key].to_pandas().join(labels, on="sample_id", rsuffix="_") for r in results}
    for task, models in READERS.items():
        target = get_task(task).target
        for chemistry in ("NMC", "LFP"):
            values = []
            for model in models:
                rows = found[task, model].query("chemistry == @chemistry and defect == 'none' and seed == seed.min()")
                error, spread = rows["prediction"] - rows[target], rows[target] - rows[target].mean()
                values.append(f"{model} {1 - (error @ error) / (spread @ spread):.3f}")
            print(f"{task} {chemistry}: {', '.join(values)} | prototype: {PROTOTYPE[task, chemistry]}")


if __name__ == "__main__":
    main()
