"""Read and write weights as safetensors files, which hold numbers and text but no executable code."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from napari_bitsnet.core.writing import atomically

N = TypeVar("N", bound=nn.Module)


def save_tensors(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write tensors and a JSON-compatible record; the file appears only when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ready = {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}
    with atomically(path) as part:
        save_file(ready, part, metadata={"facts": json.dumps(facts)})
        part.chmod(part.parent.stat().st_mode & 0o666)  # safetensors lets the owner alone read its files


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the tensors and the record that `save_tensors` wrote.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no safetensors file, or has no record.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"Expected a file of weights, got {path}, which does not exist: check the path, or make weights "
            "with napari-bitsnet train."
        )
    try:
        with safe_open(path, framework="pt") as file:
            facts = (file.metadata() or {}).get("facts")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except SafetensorError as error:
        raise ValueError(f"Expected weights in a .safetensors file, got {path}: {error}.") from None
    if facts is None:
        raise ValueError(f"Expected weights written by napari-bitsnet, got {path} without its record.")
    return tensors, json.loads(facts)


def load_network(
    path: Path,
    method: str,
    build: Callable[[Mapping[str, Any]], N],
    *,
    name_of: Callable[[str], str | None] = str,
) -> tuple[N, dict[str, Any]]:
    """Build the network of a file that a trainer wrote.

    Parameters
    ----------
    path : Path
        File of weights.
    method : str
        Name of the method that the weights are for.
    build : callable
        Makes the network from the record's entry ``"network"``; the caller's random state is kept.
    name_of : callable, optional
        Name in the network of a tensor of the file; None leaves it out.

    Returns
    -------
    network : Module
    facts : dict
        The record.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it holds something else.
    """
    tensors, facts = load_tensors(path)
    if facts.get("method") != method or "network" not in facts:
        raise ValueError(f"Expected weights of the method {method}, got {path} of {facts.get('method')!r}.")
    with torch.random.fork_rng(devices=[]):  # the random weights are overwritten
        network = build(facts["network"])
    named = ((name_of(name), tensor) for name, tensor in expand(tensors).items())
    try:
        network.load_state_dict({name: tensor for name, tensor in named if name is not None})
    except RuntimeError:
        raise ValueError(f"Expected weights of the network that {path} describes, got others.") from None
    return network, facts


SCALE = "#scale"
"""Suffix of the name of the tensor that holds the scales of an 8-bit tensor."""


def compress(tensors: Mapping[str, Tensor], *, from_size: int = 50_000) -> dict[str, Tensor]:
    """Return weights in half precision, large convolutions as 8-bit integers with a scale per output channel.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        Weights by name.
    from_size : int
        Tensors with more than one axis and at least this many numbers become 8-bit.
    """
    small = {}
    for name, tensor in tensors.items():
        if tensor.ndim < 2 or tensor.numel() < from_size:
            small[name] = tensor.half()
            continue
        scale = tensor.flatten(1).abs().amax(dim=1).clamp_min(1e-12) / 127
        by_channel = scale.reshape(-1, *[1] * (tensor.ndim - 1))
        small[name] = (tensor / by_channel).round().to(torch.int8)
        small[name + SCALE] = scale
    return small


def expand(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of `compress` as float32, with errors of at most half a step of their scale."""
    whole = {}
    for name, tensor in tensors.items():
        if name.endswith(SCALE):
            continue
        scale = tensors.get(name + SCALE)
        whole[name] = tensor.float()
        if scale is not None:
            whole[name] *= scale.reshape(-1, *[1] * (tensor.ndim - 1))
    return whole
