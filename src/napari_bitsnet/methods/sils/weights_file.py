"""Files of weights of the method `sils`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_bitsnet.methods.sils.network import SILSNetwork


def load_weights(path: Path) -> tuple[SILSNetwork, dict[str, Any]]:
    """Build the network of a file that the trainer `sils` wrote.

    Returns
    -------
    network : SILSNetwork
    facts : dict
        ``"kinds"`` (names), ``"mixing"`` (``"linear"`` or ``"attenuation"``), ``"settings"`` …

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it holds something else.
    """
    import torch

    from napari_bitsnet.core.networks.weights import expand, load_tensors
    from napari_bitsnet.methods.sils.network import SILSNetwork

    tensors, facts = load_tensors(path)
    if facts.get("method") != "sils" or "kinds" not in facts:
        raise ValueError(f"Expected weights of the method sils, got {path} of {facts.get('method')!r}.")
    with torch.random.fork_rng(devices=[]):  # the random weights are overwritten
        network = SILSNetwork(**facts["network"])
    own = {name: tensor for name, tensor in expand(tensors).items() if not name.startswith("critics.")}
    try:
        network.load_state_dict(own)
    except RuntimeError:
        raise ValueError(f"Expected weights of the network that {path} describes, got others.") from None
    return network, facts
