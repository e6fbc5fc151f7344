"""Results in the Hub's own form, `.eval_results` files."""

from benchmark.results import OFFICIAL_TEST, Result
from benchmark.tasks import get_task
from dataset_card.cards.evaluation import eval_results
from dataset_card.contract.schema import MASTER_SEED
from dataset_card.errors import MagBridgeError


def headline_results(results: list[Result]) -> list[Result]:
    """One result a task of those that can be exported: of the default master seed where there are others, and of the
    first of `OFFICIAL_TEST`."""
    ours = [r for r in results if r.protocol in OFFICIAL_TEST and r.split == get_task(r.task).split]
    ours = [r for r in ours if r.dataset.seed == MASTER_SEED] or ours
    first: dict[str, Result] = {}
    for result in sorted(ours, key=lambda r: (r.task, OFFICIAL_TEST.index(r.protocol))):
        first.setdefault(result.task, result)
    return list(first.values())


def to_eval_results(results: list[Result], dataset_id: str) -> str:
    """A `.eval_results/*.yaml` document: the headline score of each task, all of them higher-is-better.

    Args:
        results: Of one model.
        dataset_id: Id of the dataset on the Hub.

    Returns:
        YAML.

    Raises:
        MagBridgeError: Results of several models, or none that can be exported.
    """
    _check(results)
    return eval_results(dataset_id, ((get_task(r.task).config, r.mean(), _note(r)) for r in results))


def _note(result: Result) -> str:
    seeds = f"std {result.std():.4f} over {len(result.runs)} seeds"
    return f"{result.headline}, {result.split}, {result.protocol}, {seeds}, dataset {result.dataset.digest}"


def _check(results: list[Result]) -> None:
    models = sorted({result.model for result in results})
    if len(models) != 1:
        raise MagBridgeError(f"results of {', '.join(models) or 'no model'}: expected those of exactly one")
    for result in results:
        if result.protocol not in OFFICIAL_TEST or result.split != get_task(result.task).split:
            raise MagBridgeError(
                f"{' '.join(result.key)} is no headline result: export results of the split "
                f"{get_task(result.task).split} under one of the protocols {', '.join(OFFICIAL_TEST)}"
            )
        if not get_task(result.task).headline.higher_is_better:
            raise MagBridgeError(f"{result.headline} is better when lower: the Hub ranks the highest first")
