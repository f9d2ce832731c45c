"""Small networks of random weights, written as files of weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from napari_bitsnet.core.networks.weights import save_tensors
from napari_bitsnet.methods.ytmt.network import YTMTNetwork


@pytest.fixture
def make_network() -> Callable[..., YTMTNetwork]:
    """Make a small network whose last layers are random, too, so that it does something."""

    def make(**sizes: Any) -> YTMTNetwork:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            network = YTMTNetwork(**{"widths": (8, 16), "stem": 2, **sizes})
            for stage in network.stages:
                torch.nn.init.normal_(stage.last.weight, std=0.1)
        return network.eval().requires_grad_(False)

    return make


@pytest.fixture
def write_weights(make_network, tmp_path) -> Callable[..., Path]:
    """Write a file of weights for own kinds, or with ``whole=True`` for reflections."""

    def write(
        kinds: tuple[str, ...] = ("nuclei", "membrane"), name: str = "own.safetensors", **changes: Any
    ) -> Path:
        facts = {"mixing": "linear", "hypercolumn": None}
        facts |= {
            key: changes.pop(key) for key in list(changes) if key in ("mixing", "hypercolumn", "method")
        }
        network = make_network(**{"streams": len(kinds), "channels": 1, "whole": False, **changes})
        facts = {"method": "ytmt", "network": network.sizes, "kinds": list(kinds), **facts}
        save_tensors(tmp_path / name, network.state_dict(), facts)
        return tmp_path / name

    return write
