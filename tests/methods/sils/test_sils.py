"""Kinds of images that were learnt from unpaired folders: one stage a kind, colours by themselves, and what
weights are for."""

from pathlib import Path

import pytest
import torch

from napari_bitsnet.core.networks.weights import save_tensors
from napari_bitsnet.core.problem import Problem
from napari_bitsnet.core.stages import Stage
from napari_bitsnet.methods import METHODS
from napari_bitsnet.methods.sils.network import SILSNetwork
from napari_bitsnet.methods.sils.weights_file import load_weights

KINDS = ["squares", "circles", "triangles"]
MIXTURE = torch.rand(1, 3, 21, 30, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Random weights for three kinds of grey images, beside those of a critic."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = SILSNetwork(3, 1, [8, 16])
        tensors = {
            name: tensor + 0.1 * torch.randn_like(tensor) for name, tensor in network.state_dict().items()
        }
    facts = {"method": "sils", "network": network.sizes, "kinds": KINDS, "mixing": "linear"}
    save_tensors(tmp_path / "shapes.safetensors", {**tensors, "critics.0.bias": torch.ones(1)}, facts)
    return tmp_path / "shapes.safetensors"


def solver(weights: Path):
    method = METHODS.get("sils")
    return method(method.Config(weights=weights))


def test_each_kind_is_a_stage_and_each_channel_is_separated_by_itself(weights: Path):
    method = solver(weights)
    state = method.start(Problem(MIXTURE, 3), device="cpu", seed=0)
    told = list(method.stages(state))
    assert [each.name for each in told if isinstance(each, Stage)] == KINDS
    sources = method.solution(state)["sources"]
    assert sources.shape == (3, 3, 21, 30)
    network, _ = load_weights(weights)
    padded = torch.nn.functional.pad(MIXTURE, (0, 2, 0, 3), mode="replicate")
    with torch.no_grad():
        expected = torch.stack([network(padded[:, c : c + 1])[0, :, 0] for c in range(3)], dim=1)
    torch.testing.assert_close(sources, expected[..., :21, :30])
    torch.testing.assert_close(told[-1]["residual"], (MIXTURE[0] - sources.sum(0)).abs().mean())
    assert list(method.advance(state)) == []


def test_a_grey_network_sees_a_grey_image_as_it_is(weights: Path):
    method = solver(weights)
    state = method.start(Problem(MIXTURE[:, :1], 3), device="cpu", seed=0)
    assert method.solution(state)["sources"].equal(MIXTURE[:, :1].expand(3, -1, -1, -1) / 3)
    list(method.advance(state))
    assert method.solution(state)["sources"].shape == (3, 1, 21, 30)


def test_weights_for_something_else_are_refused_and_random_numbers_stay(weights: Path, tmp_path: Path):
    with pytest.raises(
        ValueError, match=r"for 2 kinds of images, got .* for 3 \(squares, circles, triangles\)"
    ):
        solver(weights).start(Problem(MIXTURE, 2), device="cpu", seed=0)
    densities = Problem(MIXTURE, 3, density_of=1.0)
    with pytest.raises(
        ValueError, match=r"mixing attenuation, got .* for the mixing linear: set mixing=linear"
    ):
        solver(weights).start(densities, device="cpu", seed=0)
    before = torch.random.get_rng_state()
    load_weights(weights)
    assert torch.random.get_rng_state().equal(before)
    save_tensors(tmp_path / "other.safetensors", {"a": torch.ones(1)}, {"method": "ytmt", "network": {}})
    with pytest.raises(ValueError, match=r"Expected weights of the method sils, got .* of 'ytmt'"):
        load_weights(tmp_path / "other.safetensors")
    facts = {"method": "sils", "network": {"kinds": 2, "channels": 1, "widths": [8]}, "kinds": KINDS[:2]}
    save_tensors(tmp_path / "empty.safetensors", {"a": torch.ones(1)}, facts)
    with pytest.raises(ValueError, match=r"Expected weights of the network that .* describes, got others"):
        load_weights(tmp_path / "empty.safetensors")
