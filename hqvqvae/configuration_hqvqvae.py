"""Configuration of HQ-VQVAE, and named configurations: the paper's model, its twins, and the recommended recipe."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from transformers import PreTrainedConfig

from .circuit import ANSATZES, MAX_QUBITS, READOUTS
from .errors import HQVQVAEError

PAPER_FEATURES = (
    "t_total", "v_min", "v_max", "v_mean", "i_mean",
    "temp_mean", "dv_dt_mean", "dv_dt_min", "ah_throughput", "capacity",
)  # fmt: skip

# Available from a curve Q(V): capacity, mean voltage over charge, voltages at 20, 50, 80 and 90 % of the discharge.
CHARGE_FEATURES = ("capacity", "v_mean_charge", "v_20", "v_50", "v_80", "v_90")

MAX_WIDTH, MAX_DEPTH = 4096, 8  # a layer of 4096 by 4096 takes 64 MB; a file with a larger one is damaged
MAX_WEIGHTS = 2**25  # of the encoder: 128 MB, and as much for the decoder; ours have a few thousand
MAX_SHOTS = 10**6  # samples per expectation value, all in memory at once
MAX_NUMBER = 1e9  # limit on every other number: far beyond any use, and safe for torch

# Changes by the recommended recipe to the paper's model; codebook_init "kmeans" implies 5 warm-up epochs as a plain
# autoencoder. The measured gains are in pretrained/evaluation.json.
RECIPE: dict[str, Any] = {"codebook_init": "kmeans", "codebook_update": "ema", "restart_unused_codes": True}

# Few inputs, relative to the cell's beginning, and few codes: chosen on the MATR cells outside test2.
_PRECURSOR: dict[str, Any] = {
    **RECIPE, "feature_names": CHARGE_FEATURES, "reference_window": (7, 11), "codebook_size": 4, "latent_dim": 4,
    "n_qubits": 4,
}  # fmt: skip

_UNTENDED: dict[str, Any] = {"codebook_init": "uniform", "codebook_update": "loss", "restart_unused_codes": False}

NAMED_CONFIGS: dict[str, dict[str, Any]] = {
    "paper": {},
    "paper-classical": {"bottleneck": "none"},
    "paper-recipe": {**RECIPE},
    "recommended": {**RECIPE, "residual": True, "circuit_init_std": 0.1},
    "recommended-classical": {**RECIPE, "bottleneck": "none"},
    "bounded": {**RECIPE, "circuit_init_std": 0.1},
    "bounded-classical": {**RECIPE, "bottleneck": "tanh"},
    "precursor": {**_PRECURSOR, "residual": True, "circuit_init_std": 0.1},
    "precursor-classical": {**_PRECURSOR, "bottleneck": "none"},
    "precursor-rotation": {**_PRECURSOR, "residual": True, "circuit_init_std": 0.1, "gradient": "rotation"},
    "precursor-simvq": {**_PRECURSOR, "residual": True, "circuit_init_std": 0.1, "quantizer": "simvq", **_UNTENDED},
    "precursor-fsq": {**_PRECURSOR, "residual": True, "circuit_init_std": 0.1, "quantizer": "fsq", **_UNTENDED},
}

_CHOICES = {
    "bottleneck": ("quantum", "tanh", "sin", "none"),
    "ansatz": ANSATZES,
    "readout": READOUTS,
    "backend": ("torch", "pennylane"),
    "codebook_init": ("uniform", "kmeans"),
    "codebook_update": ("loss", "ema"),
    "protocol": ("C", "P", "D"),
    "quantizer": ("nearest", "simvq", "fsq"),
    "gradient": ("straight_through", "rotation"),
}


def _is_whole(value: Any, most: int = MAX_WIDTH) -> bool:
    return type(value) is int and 1 <= value <= most


def _are_names(value: Any) -> bool:
    return type(value) is list and 0 < len(value) == len(set(value)) and all(isinstance(name, str) for name in value)


def _is_positive_or_none(value: Any) -> bool:
    return value is None or 0 < value <= MAX_NUMBER


_WHOLE = f"a whole number of at least 1, at most {MAX_WIDTH}"
_POSITIVE = f"a positive number up to {MAX_NUMBER:g}"
_EXPECTED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "feature_names": (_are_names, "a list of at least one name, no duplicates"),
    **dict.fromkeys(
        ("residual", "freeze_circuit", "restart_unused_codes"), (lambda value: type(value) is bool, "true or false")
    ),
    **dict.fromkeys(("latent_dim", "codebook_size", "n_qubits", "n_layers"), (_is_whole, _WHOLE)),
    "hidden_sizes": (lambda sizes: all(map(_is_whole, sizes)), _WHOLE.replace("a whole number", "whole numbers")),
    "input_scale": (lambda value: 0 < value <= MAX_NUMBER, _POSITIVE),
    "input_shift": (lambda value: -MAX_NUMBER <= value <= MAX_NUMBER, f"a number of rad up to {MAX_NUMBER:g}"),
    "ema_decay": (lambda value: 0 < value < 1, "a number between 0 and 1"),
    **dict.fromkeys(("z_clip", "circuit_init_std"), (_is_positive_or_none, f"{_POSITIVE}, or None")),
    "pennylane_shots": (
        lambda value: value is None or _is_whole(value, MAX_SHOTS), f"a whole number up to {MAX_SHOTS:,}, or None",
    ),
    "commitment_cost": (lambda value: 0 <= value <= MAX_NUMBER, f"0 to {MAX_NUMBER:g}"),
    "reference_window": (
        lambda value: value is None or (len(value) == 2 and all(map(_is_whole, value)) and value[0] <= value[1]),
        "first and last segment of a cell's beginning, counted from 1, such as [7, 11]"
    ),
}  # fmt: skip


# Keys of every transformers configuration, including those in saved files; `Trainer` adds `use_cache`.
_OF_TRANSFORMERS = {field.name for field in dataclasses.fields(PreTrainedConfig)} | {
    "model_type", "auto_map", "torch_dtype", "num_labels", "name_or_path", "_name_or_path", "_commit_hash",
    "attn_implementation", "experts_implementation", "output_attentions", "use_cache",
}  # fmt: skip


class HQVQVAEConfig(PreTrainedConfig):
    """The architecture of an HQ-VQVAE; the defaults are the paper's model (sections 3 and 4, Table 7).

    The paper specifies latent 8, 32 codes, beta 0.25, 8 qubits, 2 entangling layers, angle encoding and Pauli-Z
    readout; the hidden widths, the entangler and the initial codebook U(-1/K, 1/K) are ours.

    Args:
        feature_names: the inputs, in order; any number of them.
        protocol: how the features are cleaned; see `hqvqvae.cells.features`.
        hidden_sizes: widths of the encoder's ReLU layers; the decoder mirrors them.
        latent_dim: width of a latent and of a code's vector.
        codebook_size: number of codes K.
        commitment_cost: beta of the paper's loss.
        bottleneck: "quantum" (linear, circuit, linear), "tanh" or "sin" (the same with that function as the circuit) or
            "none" (a plain VQ-VAE).
        residual: add the latent to the bottleneck's output.
        n_qubits: qubits of the circuit, at most 12, or units of "tanh" and "sin".
        n_layers: layers of the circuit.
        ansatz: "strongly_entangling" or another of `circuit.ANSATZES`.
        readout: "Z" (<Z> of each qubit) or "Z+ZZ" (also <ZZ> of neighbours on a ring).
        input_scale: factor on the first linear layer's output before it enters the circuit, tanh or sin.
        input_shift: shift added to that product, in rad.
        freeze_circuit: keep the circuit's initial weights.
        n_couplings: weights between neighbouring units of "tanh" and "sin"; see `bottleneck.Bottleneck`.
        circuit_init_std: standard deviation in rad of the normal initial circuit weights; None for U(0, 2 pi).
        backend: "torch" (native statevector) or "pennylane".
        pennylane_device: PennyLane device of backend "pennylane".
        pennylane_shots: samples per expectation value on that device; None for exact values.
        codebook_init: "uniform", or "kmeans" of the latents after a warm-up.
        codebook_update: "loss" (the paper's codebook term) or "ema" (exponential moving average of assigned latents).
        ema_decay: decay of that average per step.
        restart_unused_codes: move a code that no segment used in an epoch onto a random latent.
        z_clip: bound on the magnitude of standardised inputs; None for no bound. Protocol P needs one (10).
        quantizer: "nearest" (the nearest vector's code), "simvq" (the same, with vectors from `quantizer.SimVQ`) or
            "fsq" (`fsq.FiniteScalarQuantizer`). The last two have no codebook to initialise, average or restart.
        gradient: "straight_through" or "rotation" (`quantizer.rotate_to`), for the first two quantizers.
        reference_window: first and last segment, counted from 1, of a cell's beginning, whose mean is subtracted from
            the features (`encode` and `score` subtract it; training expects such features). None to subtract nothing.

    Raises:
        HQVQVAEError: If a value is out of range; the message names it.
    """

    model_type = "hqvqvae"

    feature_names: list[str] | tuple[str, ...] = PAPER_FEATURES
    protocol: str = "C"
    hidden_sizes: list[int] | tuple[int, ...] = (64, 32)
    latent_dim: int = 8
    codebook_size: int = 32
    commitment_cost: float = 0.25
    bottleneck: str = "quantum"
    residual: bool = False
    n_qubits: int = 8
    n_layers: int = 2
    ansatz: str = "strongly_entangling"
    readout: str = "Z"
    input_scale: float = 1.0
    input_shift: float = 0.0
    freeze_circuit: bool = False
    n_couplings: int = 0
    circuit_init_std: float | None = None
    backend: str = "torch"
    pennylane_device: str = "default.qubit"
    pennylane_shots: int | None = None
    codebook_init: str = "uniform"
    codebook_update: str = "loss"
    ema_decay: float = 0.9
    restart_unused_codes: bool = False
    z_clip: float | None = None
    reference_window: list[int] | tuple[int, int] | None = None
    quantizer: str = "nearest"
    gradient: str = "straight_through"

    def __post_init__(self, **kwargs):
        unknown = kwargs.keys() - _OF_TRANSFORMERS
        if unknown:
            raise HQVQVAEError(self.unknown_keys(unknown))
        for name in ("feature_names", "hidden_sizes", "reference_window"):
            value = getattr(self, name)
            if isinstance(value, Iterable) and not isinstance(value, str | Mapping):
                setattr(self, name, list(value))
        self._check()
        labels = kwargs.get("num_labels")
        if labels is not None and (type(labels) is not int or not 0 <= labels <= MAX_WIDTH):
            raise HQVQVAEError(f"num_labels={labels!r}: expected none, because the model has no labels; leave it out")
        super().__post_init__(**kwargs)

    def _check(self) -> None:
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                raise HQVQVAEError(f"{name}={value!r} is unknown; expected one of {', '.join(choices)}")
        for name, (holds, expected) in _EXPECTED.items():
            value = getattr(self, name)
            try:
                fits = holds(value)
            except TypeError:  # a text for a number, a number for a list
                fits = False
            if not fits:
                raise HQVQVAEError(f"{name}={value!r}: expected {expected}")
        if len(self.hidden_sizes) > MAX_DEPTH or len(self.feature_names) > MAX_WIDTH:
            layers = f"{len(self.hidden_sizes)} hidden layers of {len(self.feature_names)} features"
            raise HQVQVAEError(f"{layers}: expected at most {MAX_DEPTH} layers and {MAX_WIDTH} features")
        widths = [len(self.feature_names), *self.hidden_sizes, self.latent_dim]
        weights = sum(one * other for one, other in zip(widths, widths[1:]))
        if weights > MAX_WEIGHTS:
            layers = f"layers of {', '.join(map(str, widths))}"
            raise HQVQVAEError(f"{layers} have {weights:,} weights: expected at most {MAX_WEIGHTS:,}")
        if self.bottleneck == "quantum" and self.n_qubits > MAX_QUBITS:
            amplitudes = f"2^{self.n_qubits} amplitudes per segment"
            raise HQVQVAEError(
                f"n_qubits={self.n_qubits} is more than the {MAX_QUBITS} supported ({amplitudes}); lower it"
            )
        pairs = self.n_qubits * (self.n_qubits - 1) if self.bottleneck in ("tanh", "sin") else 0
        if not isinstance(self.n_couplings, int) or not 0 <= self.n_couplings <= pairs:
            expected = f"a whole number from 0 to {pairs}, the pairs of units of bottleneck {self.bottleneck!r}"
            raise HQVQVAEError(f"n_couplings={self.n_couplings!r}: expected {expected}")
        tended = (self.codebook_init, self.codebook_update, self.restart_unused_codes) != ("uniform", "loss", False)
        if self.quantizer != "nearest" and tended:
            expected = "codebook_init 'uniform', codebook_update 'loss' and restart_unused_codes False"
            seen = f"quantizer={self.quantizer!r} has no codebook to initialise, average or restart"
            raise HQVQVAEError(f"{seen}: expected {expected}")

    @classmethod
    def named(cls, name: str, **changes) -> HQVQVAEConfig:
        """Return a new configuration by name.

        Args:
            name: "paper" (exactly the paper's), "paper-classical" (no circuit), "paper-recipe" (the paper's
                architecture, trained with the recommended recipe), "recommended" (that, with a bypass around the
                circuit and small initial weights), "recommended-classical" (no circuit), "bounded" (no bypass) and its
                fair twin "bounded-classical" (tanh in place of the circuit), "precursor" and "precursor-classical"
                (like the recommended ones, for features relative to a cell's beginning), or "precursor-rotation",
                "precursor-simvq" and "precursor-fsq" ("precursor" with another gradient or quantizer).
            **changes: arguments that replace the named ones.

        Returns:
            The configuration.

        Raises:
            HQVQVAEError: If there is no such name.
        """
        if name not in NAMED_CONFIGS:
            close = difflib.get_close_matches(name, NAMED_CONFIGS, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise HQVQVAEError(f"no configuration {name!r}; {hint}expected one of {', '.join(NAMED_CONFIGS)}")
        return cls(**{**NAMED_CONFIGS[name], **changes})

    @classmethod
    def unknown_keys(cls, names: Iterable[str]) -> str:
        """Return an error message for unknown configuration keys, with a suggestion."""
        known = list(cls.__annotations__)
        guesses = [guess for name in names for guess in difflib.get_close_matches(name, known, n=1)]
        hint = f"did you mean {', '.join(guesses)}?" if guesses else f"expected one of {', '.join(known)}"
        return f"the configuration has no {', '.join(sorted(names))}; {hint}"

    @classmethod
    def from_dict(cls, config_dict: dict, **kwargs) -> HQVQVAEConfig:
        """Load as transformers does, but reject another kind of model or a change out of range rather than warn."""
        changes = {name: kwargs.pop(name) for name in cls.__annotations__.keys() & kwargs.keys()}
        config_dict = {**config_dict, **changes}
        kind = config_dict.get("model_type", cls.model_type)
        if kind != cls.model_type:
            raise HQVQVAEError(f"this is the configuration of a {kind!r} model; expected model_type 'hqvqvae'")
        return super().from_dict(config_dict, **kwargs)
