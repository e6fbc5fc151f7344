"""Results in the Hub's format, `.eval_results` files."""

from benchmark.results import OFFICIAL_TEST, Result
from benchmark.tasks import get_task
from dataset_card.cards.evaluation import eval_results
from dataset_card.contract.schema import MASTER_SEED
from dataset_card.errors import MagBridgeError


def headline_results(results: list[Result]) -> list[Result]:
    """Choose one exportable result per task, of the first possible protocol in `OFFICIAL_TEST`.

    If there are results of the default master seed, only those are considered.
    """
    ours = [r for r in results if r.protocol in OFFICIAL_TEST and r.split == get_task(r.task).split]
    ours = [r for r in ours if r.dataset.seed == MASTER_SEED] or ours
    first: dict[str, Result] = {}
    for result in sorted(ours, key=lambda r: (r.task, OFFICIAL_TEST.index(r.protocol))):
        first.setdefault(result.task, result)
    return list(first.values())


def to_eval_results(results: list[Result], dataset_id: str) -> str:
    """Write an `.eval_results/*.yaml` document with the headline score of each task; higher must be better.

    Args:
        results: Results of one model.
        dataset_id: Id of the dataset on the Hub.

    Returns:
        The document as YAML.

    Raises:
        MagBridgeError: If the results are not all of one model, or one of them cannot be exported.
    """
    _check(results)
    return eval_results(dataset_id, ((get_task(r.task).config, r.mean(), _note(r)) for r in results))


def _note(result: Result) -> str:
    seeds = f"std {result.std():.4f} over {len(result.runs)} seeds"
    return f"{result.headline}, {result.split}, {result.protocol}, {seeds}, dataset {result.dataset.digest}"


def _check(results: list[Result]) -> None:
    models = sorted({result.model for result in results})
    if len(models) != 1:
        raise MagBridgeError(f"results of {', '.join(models) or 'no model'}: expected results of exactly one model")
    for result in results:
        if result.protocol not in OFFICIAL_TEST or result.split != get_task(result.task).split:
            raise MagBridgeError(
                f"{' '.join(result.key)} is not a headline result: export results of the split "
                f"{get_task(result.task).split} under one of the protocols {', '.join(OFFICIAL_TEST)}"
            )
        if not get_task(result.task).headline.higher_is_better:
            raise MagBridgeError(
                f"{result.headline} is better when lower, but the Hub ranks the highest first: export another task"
            )
