"""State of a training from which it continues with the same bits: network, averaged weights, optimiser."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


def training_state(network: nn.Module, average: nn.Module, optimiser: Optimizer) -> dict[str, Tensor]:
    """Return copies of all tensors by name."""
    state = {f"network.{n}": t for n, t in network.state_dict().items()}
    state |= {f"average.{n}": t for n, t in average.state_dict().items()}
    for index, moments in optimiser.state_dict()["state"].items():
        state |= {f"optimiser.{index}.{n}": torch.as_tensor(t) for n, t in moments.items()}
    return {name: tensor.clone() for name, tensor in state.items()}


def restore_training(
    state: Mapping[str, Tensor], network: nn.Module, average: nn.Module, optimiser: Optimizer
) -> None:
    """Restore the state that `training_state` returned."""
    network.load_state_dict(part(state, "network."))
    average.load_state_dict(part(state, "average."))
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in part(state, "optimiser.").items():
        index, key = name.split(".")
        moments.setdefault(int(index), {})[key] = tensor
    optimiser.load_state_dict({**optimiser.state_dict(), "state": moments})


def part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names start with `prefix`, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
