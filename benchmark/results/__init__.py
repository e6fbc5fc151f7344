"""Results: what a model scored, as values and as files. The files beside this module are the shipped ones."""

from benchmark.results.documents import from_json as from_json
from benchmark.results.documents import to_json as to_json
from benchmark.results.filing import SHIPPED as SHIPPED
from benchmark.results.filing import add_results as add_results
from benchmark.results.filing import read_files as read_files
from benchmark.results.filing import read_predictions as read_predictions
from benchmark.results.filing import read_results as read_results
from benchmark.results.filing import release_stem as release_stem
from benchmark.results.filing import result_files as result_files
from benchmark.results.filing import results_of as results_of
from benchmark.results.filing import shipped_files as shipped_files
from benchmark.results.filing import write_result as write_result
from benchmark.results.filing import write_results as write_results
from benchmark.results.result import OFFICIAL_TEST as OFFICIAL_TEST
from benchmark.results.result import PROTOCOLS as PROTOCOLS
from benchmark.results.result import SAMPLINGS as SAMPLINGS
from benchmark.results.result import Result as Result
from benchmark.results.result import environment as environment
from benchmark.results.result import named_digest as named_digest
from benchmark.scoring import Run as Run
