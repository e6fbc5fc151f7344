"""The baseline models: one file a family, each a tuple `MODELS` of frozen declarations."""

from benchmark.baselines import (
    averaged,
    boosting,
    classical,
    convolutional,
    deep,
    departure,
    functional,
    hqvqvae_codes,
    physics,
    recipe,
    rocket,
    sensor_network,
    signed,
    whitened,
)
from benchmark.models import Model
from benchmark.tasks import known

FAMILIES = {
    "constant": classical.CONSTANT,
    "classical": classical.MODELS,
    "deep": deep.MODELS,
    "general": (*boosting.MODELS, *rocket.MODELS, *convolutional.MODELS, *whitened.MODELS),
    "functional": (*functional.MODELS, *averaged.MODELS, *signed.MODELS, *departure.MODELS),
    "hqvqvae": hqvqvae_codes.MODELS,
    "recipe": recipe.MODELS,
    "physics": (*physics.MODELS, *sensor_network.MODELS),
}


def models(task: str | None = None, family: str | None = None) -> list[Model]:
    """Declared models, in order of families.

    Args:
        task: Keep those for this task id.
        family: Keep those of this family.
    """
    found = [model for name, members in FAMILIES.items() if family in (None, name) for model in members]
    return [model for model in found if task is None or task in model.tasks]


def get_model(name: str) -> Model:
    """The declared model of this name.

    Raises:
        MagBridgeError: No such model.
    """
    by_name = {model.name: model for model in models()}
    return by_name[known(name, by_name, "model")]
