"""The baseline models: one file per family, each with a tuple `MODELS` of frozen declarations."""

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
    """Return the declared models, in the order of their families.

    Args:
        task: Keep only models for this task id.
        family: Keep only models of this family.
    """
    found = [model for name, members in FAMILIES.items() if family in (None, name) for model in members]
    return [model for model in found if task is None or task in model.tasks]


def get_model(name: str) -> Model:
    """Return the declared model with this name.

    Raises:
        MagBridgeError: If there is no such model.
    """
    by_name = {model.name: model for model in models()}
    return by_name[known(name, by_name, "model")]
