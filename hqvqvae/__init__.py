"""HQ-VQVAE: a hybrid quantum-classical VQ-VAE for early degradation codes in battery cycling data."""

from dataset_card.errors import EXTRAS, missing

_PUBLIC = {
    "HQVQVAEConfig": "configuration_hqvqvae",
    "HQVQVAEModel": "modeling_hqvqvae",
    "HQVQVAEError": "errors",
    "load_segments": "cells.nasa",
}
__all__ = list(_PUBLIC)


def __dir__():
    return {*globals(), *__all__}


def __getattr__(name: str):
    """Load torch, transformers or pandas only when a name that needs them is used.

    Loading the configuration or the model also registers it with transformers' auto classes.
    """
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    try:
        found = getattr(importlib.import_module(f".{_PUBLIC[name]}", __name__), name)
        if name in ("HQVQVAEConfig", "HQVQVAEModel"):
            from transformers import AutoConfig, AutoModel

            config = found if name == "HQVQVAEConfig" else found.config_class
            AutoConfig.register(config.model_type, config, exist_ok=True)
            if found is not config:
                AutoModel.register(config, found, exist_ok=True)
        return found
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        raise ModuleNotFoundError(missing(error.name), name=error.name) from None
