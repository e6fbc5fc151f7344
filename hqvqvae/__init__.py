"""HQ-VQVAE: a hybrid quantum-classical VQ-VAE for early degradation codes in battery cycling data."""

from dataset_card.errors import EXTRAS, missing

from .hub.auto_classes import watch

_PUBLIC = {
    "HQVQVAEConfig": "configuration_hqvqvae",
    "HQVQVAEModel": "modeling_hqvqvae",
    "HQVQVAEError": "errors",
    "load_segments": "cells.nasa",
}
__all__ = list(_PUBLIC)


def __getattr__(name: str):
    """Load torch, transformers or pandas only when a name that needs them is used."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    try:
        return getattr(importlib.import_module(f".{_PUBLIC[name]}", __name__), name)
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        raise ModuleNotFoundError(missing(error.name), name=error.name) from None


watch()
