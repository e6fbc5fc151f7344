"""Results: what a model scored, as values and as files. The files beside this module are the shipped ones."""

from benchmark.results.documents import from_json, to_json
from benchmark.results.filing import (
    SHIPPED,
    read_predictions,
    read_results,
    release_stem,
    result_files,
    shipped_files,
    write_result,
    write_results,
)
from benchmark.results.result import OFFICIAL_TEST, PROTOCOLS, SAMPLINGS, Result, Run, environment, named_digest

__all__ = [
    "OFFICIAL_TEST",
    "PROTOCOLS",
    "SAMPLINGS",
    "SHIPPED",
    "Result",
    "Run",
    "environment",
    "from_json",
    "named_digest",
    "read_predictions",
    "read_results",
    "release_stem",
    "result_files",
    "shipped_files",
    "to_json",
    "write_result",
    "write_results",
]
