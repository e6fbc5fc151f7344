"""A bridge with one thing changed, to see what the information that models find hangs on."""

from __future__ import annotations

import dataclasses

import numpy as np

from bridge.generate import AnyBridge
from bridge.v1.generate import Bridge
from bridge.v2 import BridgeV2
from dataset_card.errors import MagBridgeError

ABLATIONS = {
    "A0": "the bridge as it is",
    "A1": "random state direction",
    "A2": "SOH permuted across cells, graded against the cells' own",
    "A3": "state direction negated",
}


def of_one_law(bridge: AnyBridge) -> AnyBridge:
    """The bridge with every battery ageing by lost material: where there are two laws, direction says nothing."""
    if not isinstance(bridge, BridgeV2):
        return bridge
    config = dataclasses.replace(bridge.config, inventory_share=0.0)
    return BridgeV2(bridge.upstream, config, bridge.scan_map, bridge.master_seed)


def ablated(bridge: AnyBridge, ablation: str, rng: np.random.Generator) -> AnyBridge:
    """The bridge with its direction of ageing as an ablation has it; the strength of ageing stays.

    v1's direction is one of its latent space, v2's is in the modes mean, edge, z and y of the sheet's moment.

    Args:
        bridge: The bridge as it is.
        ablation: A0 to A3; A2 changes what is asked of a bridge (see `permuted`), not the bridge.
        rng: Draws A1's direction.

    Raises:
        MagBridgeError: Unknown ablation.
    """
    if ablation not in ABLATIONS:
        raise MagBridgeError(f"ablation {ablation!r}: expected one of {', '.join(ABLATIONS)}")
    if ablation in ("A0", "A2"):
        return bridge
    if isinstance(bridge, BridgeV2):
        own = np.array(bridge.config.ageing)
        config = bridge.config.with_ageing_direction(rng.standard_normal(len(own)) if ablation == "A1" else -own)
        return BridgeV2(bridge.upstream, config, bridge.scan_map, bridge.master_seed)
    latent = bridge.upstream.latent
    direction = -latent.direction
    if ablation == "A1":
        direction = rng.standard_normal(len(direction))
        direction /= np.linalg.norm(direction)
    turned = dataclasses.replace(latent, direction=direction)
    return Bridge(dataclasses.replace(bridge.upstream, latent=turned), bridge.config)


def permuted(soh: np.ndarray, cell: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """SOH (n,) of rows after the cells have exchanged theirs: A2 generates at these."""
    _, first, of_row = np.unique(cell, return_index=True, return_inverse=True)
    return rng.permutation(soh[np.sort(first)])[np.argsort(np.argsort(first))[of_row]]
