"""Load the small trained networks that the package carries."""

from __future__ import annotations

from pathlib import Path

import torch

from napari_bitsnet.core.networks.unet import UNet
from napari_bitsnet.core.networks.weights import expand, load_tensors


def shipped_unet(path: Path, channels_in: int, channels_out: int) -> UNet | None:
    """Load a trained U-Net for inference.

    Parameters
    ----------
    path : Path
        File of weights whose record ``network`` holds the settings of `UNet`.
    channels_in, channels_out : int
        Channels of the input and of the output that the caller expects.

    Returns
    -------
    UNet or None
        None if there is no such file.

    Raises
    ------
    ValueError
        If the file holds no weights.
    RuntimeError
        If the weights belong to another network.
    """
    return load_unet(path, channels_in, channels_out).eval().requires_grad_(False) if path.is_file() else None


def load_unet(path: Path, channels_in: int, channels_out: int) -> UNet:
    """Load a trained U-Net; parameters and errors as those of `shipped_unet`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    """
    tensors, facts = load_tensors(path)
    # the initial random weights are overwritten; the caller's random state is kept
    with torch.random.fork_rng(devices=[]):
        network = UNet(channels_in, channels_out, **{"blocks": 1, "stem": 2, **facts["network"]})
    network.load_state_dict(expand(tensors))
    return network
