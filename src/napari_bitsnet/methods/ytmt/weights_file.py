"""Files of weights of the method `ytmt`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_bitsnet.methods.ytmt.network import YTMTNetwork
    from napari_bitsnet.methods.ytmt.official import OfficialNetwork

SHIPPED = "ytmt.safetensors"
TORCH_SUFFIXES = (".pt", ".pth", ".ckpt", ".bin")


def shipped_weights() -> Path:
    """Return the path of the package's weights, for reflections, whether the file exists or not."""
    return Path(str(files("napari_bitsnet").joinpath("weights", SHIPPED)))


def load_weights(path: Path) -> tuple[YTMTNetwork | OfficialNetwork, dict[str, Any]]:
    """Build the network of a file that the trainer `ytmt` or `convert_official` wrote.

    Returns
    -------
    network : YTMTNetwork or OfficialNetwork
    facts : dict
        ``"kinds"`` (names), ``"mixing"``, ``"hypercolumn"`` (checksum of the features' file, or None),
        ``"settings"`` …

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it holds something else.
    """
    from napari_bitsnet.core.networks.weights import load_network
    from napari_bitsnet.methods.ytmt.network import YTMTNetwork
    from napari_bitsnet.methods.ytmt.official import OfficialNetwork

    if path.suffix.lower() in TORCH_SUFFIXES:
        raise ValueError(
            f"Expected weights in a .safetensors file, got {path}: convert the authors' file once, with "
            "napari-bitsnet convert-weights."
        )

    def build(sizes: Mapping[str, Any]) -> YTMTNetwork | OfficialNetwork:
        return OfficialNetwork(sizes["stages"]) if sizes.get("official") else YTMTNetwork(**sizes)

    return load_network(path, "ytmt", build)
