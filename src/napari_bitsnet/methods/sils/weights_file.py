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
    from napari_bitsnet.core.networks.weights import load_network
    from napari_bitsnet.methods.sils.network import SILSNetwork

    return load_network(
        path,
        "sils",
        lambda sizes: SILSNetwork(**sizes),
        name_of=lambda name: None if name.startswith("critics.") else name,
    )
