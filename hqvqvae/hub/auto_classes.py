"""transformers' auto classes know the model once both are imported, in either order; neither loads the other.

Finder and loader are so by their methods alone: `importlib.abc`, which has their bases, takes as long to load as all
the rest, and a command answers signals after this module.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.abc import Loader


def _register_configuration() -> None:
    from transformers import AutoConfig

    from ..configuration_hqvqvae import HQVQVAEConfig

    AutoConfig.register(HQVQVAEConfig.model_type, HQVQVAEConfig, exist_ok=True)


def _register_model() -> None:
    from transformers import AutoModel

    from ..modeling_hqvqvae import HQVQVAEConfig, HQVQVAEModel

    AutoModel.register(HQVQVAEConfig, HQVQVAEModel, exist_ok=True)


_WHEN_LOADED = {
    "transformers.models.auto.configuration_auto": _register_configuration,
    "transformers.models.auto.modeling_auto": _register_model,
}


class _Then:
    """Loads a module as its own loader does, then calls a function."""

    def __init__(self, loader: Loader, then: Callable[[], None]):
        self.loader, self.then = loader, then

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.loader.exec_module(module)
        self.then()


class _Finder:
    """Finds the modules of the auto classes once each, and everything else never."""

    def __init__(self) -> None:
        self.waiting = dict(_WHEN_LOADED)

    def find_spec(self, fullname: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        then = self.waiting.pop(fullname, None)
        spec = None if then is None else PathFinder.find_spec(fullname, path)
        if spec is None or spec.loader is None or then is None:
            return None
        spec.loader = _Then(spec.loader, then)  # type: ignore[assignment]
        return spec


def watch() -> None:
    """Register now what transformers has loaded already, the rest when it loads it."""
    finder = _Finder()
    for name in list(finder.waiting):
        if name in sys.modules:
            finder.waiting.pop(name)()
    sys.meta_path.insert(0, finder)
