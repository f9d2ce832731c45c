"""The trained start: exact shares, mirror images, hints, any size; and what it says without weights."""

from __future__ import annotations

import warnings
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch

import napari_bitsnet as nb
from benchmarks.quality.cases.films import film_case, flicker
from napari_bitsnet.core.images import Scaling
from napari_bitsnet.core.metrics import score
from napari_bitsnet.core.networks.weights import compress, save_tensors
from napari_bitsnet.core.problem import Problem, Traits
from napari_bitsnet.core.stages import exhaust
from napari_bitsnet.methods.feedforward import feedforward
from napari_bitsnet.methods.feedforward.feedforward import (
    Feedforward,
    FeedforwardConfig,
    load_network,
    rescaled,
)
from napari_bitsnet.methods.feedforward.network import SplitNetwork
from napari_bitsnet.methods.feedforward.split import _confidence, agreeing_signs, hint_sign, splitting


@pytest.fixture(scope="module")
def network() -> SplitNetwork:
    """Small, with random weights in all layers: what it answers is nonsense, but not nothing."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = SplitNetwork(widths=(8, 16))
        torch.nn.init.normal_(network.unet.head[2].weight, std=0.02)
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def weights(network: SplitNetwork, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    save_tensors(path, compress(network.state_dict()), {"method": "feedforward", "network": network.sizes})
    return path


def _mixture(*shape: int, seed: int = 0) -> torch.Tensor:
    noise = torch.rand((1, *shape), generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.avg_pool2d(torch.nn.functional.pad(noise, [2] * 4, mode="reflect"), 5, 1)


def _solve(problem: Problem, weights: Path, **settings) -> dict[str, torch.Tensor]:
    method = Feedforward(FeedforwardConfig(weights=weights, **settings))
    state = method.start(problem, device="cpu", seed=0)
    assert len(list(method.advance(state))) == 1
    assert list(method.advance(state)) == []
    return method.solution(state)


@pytest.mark.parametrize("shape", [(3, 40, 70), (1, 33, 31), (3, 150, 140)])
@pytest.mark.parametrize("n_sources", [2, 3])
def test_the_shares_add_up_exactly(weights: Path, shape: tuple[int, ...], n_sources: int):
    mixture = _mixture(*shape)
    answer = _solve(Problem(mixture, n_sources), weights)
    assert answer["sources"].shape == (n_sources, *shape)
    torch.testing.assert_close(answer["sources"].sum(dim=0, keepdim=True), mixture, rtol=0, atol=1e-6)
    assert (answer["sources"][0] - answer["sources"][1]).abs().max() > 1e-4
    assert answer["confidence"].shape == (1, 1, *shape[1:])
    assert 0 <= answer["confidence"].min() <= answer["confidence"].max() <= 1


def test_before_it_runs_the_answer_is_the_mixture(weights: Path):
    problem = Problem(_mixture(3, 40, 40))
    method = Feedforward(FeedforwardConfig(weights=weights))
    answer = method.solution(method.start(problem, device="cpu", seed=0))
    torch.testing.assert_close(answer["sources"], problem.observations.expand(2, -1, -1, -1) / 2)


@pytest.mark.parametrize("axes", [[-1], [-2], [-1, -2]])
def test_a_mirrored_mixture_gives_mirrored_sources(network: SplitNetwork, axes: list[int]):
    """With all four views the answer depends on the mirror only by its sign."""
    mixture = _mixture(3, 64, 64)
    plain, mirrored = (
        exhaust(splitting(network, x, views=4, looks=0)).difference for x in (mixture, mixture.flip(axes))
    )
    mirrored = mirrored.flip(axes)
    same, opposite = ((plain - s * mirrored).abs().max() for s in (1, -1))
    assert min(same, opposite) < 1e-5
    assert plain.abs().max() > 1e-3


def test_confidence_is_the_part_of_the_contrast_that_is_told_apart():
    image = _mixture(3, 32, 32)
    centred = image - image.mean(dim=(2, 3), keepdim=True)
    assert _confidence(image, torch.zeros_like(image)).max() == 0
    assert _confidence(100 * image, 100 * image).min() > 0.99  # one share holds everything
    low, high = (float(_confidence(image, strength * centred).mean()) for strength in (0.3, 0.6))
    assert high == pytest.approx(4 * low, rel=1e-4)


def test_signs_agree_whatever_they_were():
    generator = torch.Generator().manual_seed(0)
    answer = torch.randn((1, 3, 8, 8), generator=generator)
    noise = torch.randn((4, 1, 3, 8, 8), generator=generator)
    flipped = torch.tensor([1.0, -1, -1, 1])
    members = flipped.reshape(-1, 1, 1, 1, 1) * (answer + 0.5 * noise)
    assert torch.equal(agreeing_signs(members), flipped)
    assert torch.equal(agreeing_signs(members[:1]), torch.ones(1))
    assert torch.equal(agreeing_signs(torch.zeros(4, 1, 3, 8, 8)), torch.ones(4))


def test_exchanged_hints_exchange_the_sources():
    mixture, difference = _mixture(3, 24, 24), _mixture(3, 24, 24, seed=1) - 0.5
    marks = torch.zeros(1, 2, 24, 24)
    marks[0, 0, 3:9, 4:12] = 1
    sign = hint_sign(mixture, difference, marks)
    assert hint_sign(mixture, difference, marks.flip(1)) == -sign
    assert hint_sign(mixture, -difference, marks) == -sign
    assert hint_sign(mixture, difference, torch.zeros_like(marks)) == 1


def test_an_edge_hinted_as_the_first_source_ends_up_there():
    step = torch.zeros(1, 1, 16, 16)
    step[..., 8:] = 1.0
    marks = torch.zeros(1, 2, 16, 16)
    marks[0, 0, :, 7] = 1
    assert hint_sign(step, step, marks) == 1  # d = I: all of the edge in the first share
    assert hint_sign(step, -step, marks) == -1


def test_a_grey_mixture_is_treated_as_colour(network: SplitNetwork):
    grey = _mixture(1, 48, 48)
    one = exhaust(splitting(network, grey)).difference
    three = exhaust(splitting(network, grey.expand(-1, 3, -1, -1))).difference
    torch.testing.assert_close(one, three.mean(dim=1, keepdim=True), rtol=0, atol=0.01)


@pytest.mark.parametrize(
    ("traits", "reason"),
    [
        (Traits(), None),
        (Traits(n_sources=4), None),
        (Traits(has_hints=True), None),
        (Traits(n_observations=2, mixing="weighted"), "one image whose sources add up"),
        (Traits(n_guides=1), "cannot use guides"),
        (Traits(n_sources=3, has_hints=True), "hints for two sources only"),
    ],
)
def test_what_it_supports(weights: Path, traits: Traits, reason: str | None):
    told = Feedforward(FeedforwardConfig(weights=weights)).unsupported_reason(traits)
    assert (told is None) if reason is None else (told is not None and reason in told)


def test_without_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(feedforward, "SHIPPED", "absent.safetensors")
    assert not feedforward.weights_available()
    assert "no trained weights" in str(Feedforward().unsupported_reason(Traits()))
    with pytest.raises(FileNotFoundError, match="Expected trained weights in the package, found none: train"):
        Feedforward().start(Problem(_mixture(3, 32, 32)), device="cpu", seed=0)
    with pytest.raises(
        FileNotFoundError,
        match=r"got .*w\.safetensors, which does not exist: check the path, or make weights",
    ):
        load_network(tmp_path / "w.safetensors")


def test_weights_named_as_in_the_shipped_file_load(network: SplitNetwork, weights: Path, tmp_path: Path):
    trained = network.state_dict()
    old = {f"coarse.{name}": tensor for name, tensor in trained.items()}
    sizes = {"coarse_widths": [8, 16], "trunk": None}
    save_tensors(tmp_path / "w.safetensors", compress(old), {"method": "feedforward", "network": sizes})
    first, second = (load_network(path).state_dict() for path in (weights, tmp_path / "w.safetensors"))
    assert first.keys() == second.keys() == trained.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_weights_that_lack_a_layer_are_refused(network: SplitNetwork, tmp_path: Path):
    tensors = compress(network.state_dict())
    record = {"method": "feedforward", "network": network.sizes}
    save_tensors(tmp_path / "w.safetensors", dict(list(tensors.items())[1:]), record)
    with pytest.raises(ValueError, match=r"Expected weights of the network that .* describes, got others"):
        load_network(tmp_path / "w.safetensors")


def test_files_that_are_no_weights(tmp_path: Path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"no weights at all")
    with pytest.raises(ValueError, match=r"Expected weights in a \.safetensors file, got .*w\.safetensors"):
        load_network(path)
    save_tensors(path, {"a": torch.zeros(2)}, {"method": "sils"})
    with pytest.raises(ValueError, match=r"Expected weights of the method feedforward, got .* of 'sils'"):
        load_network(path)
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(2)}, path)
    with pytest.raises(
        ValueError, match=r"Expected weights written by napari-bitsnet, got .* without its record"
    ):
        load_network(path)


def _bundled_photographs() -> torch.Tensor:
    """The centres of four photographs that come with scikit-image, (4, 3, 128, 128) in [0, 1]."""
    from napari_bitsnet.data.photographs import bundled_photograph

    names = ("astronaut", "chelsea", "coffee", "rocket")
    photographs = [torch.from_numpy(bundled_photograph(name, 128)) for name in names]
    return torch.stack(photographs).permute(0, 3, 1, 2).float()


def test_the_shipped_weights_separate_photographs():
    """Better than the mixture, on average over six pairs that were not trained on; and small enough to
    ship."""
    assert feedforward.shipped_weights().stat().st_size < 20e6
    gains = []
    for truths in combinations(_bundled_photographs() / 2, 2):
        shares = torch.stack(truths)
        method = Feedforward(FeedforwardConfig(looks=2))
        state = method.start(Problem(shares.sum(dim=0, keepdim=True)), device="cpu", seed=0)
        list(method.advance(state))
        found, true = (x.permute(0, 2, 3, 1).numpy() for x in (method.solution(state)["sources"], shares))
        gains.append(score(found, true, true.sum(axis=0), lo=0, hi=1)["mean_gain_offset_free"])
    assert sum(gains) / len(gains) > 0.5


def test_sources_keep_the_order_of_the_slice_before(weights: Path):
    problem = Problem(_mixture(3, 40, 40))
    method = Feedforward(FeedforwardConfig(weights=weights))
    alone = method.start(problem, device="cpu", seed=0)
    list(method.advance(alone))
    for order in ([0, 1], [1, 0]):
        earlier = method.start(problem, device="cpu", seed=0)
        earlier.sources = alone.sources[order]
        state = method.warm_start(problem, earlier, device="cpu", seed=0)
        list(method.advance(state))
        same, other = ((state.sources - alone.sources[o]).square().sum() for o in (order, order[::-1]))
        assert same < 0.25 * other
    other = method.start(Problem(_mixture(3, 32, 40)), device="cpu", seed=0)
    list(method.advance(other))
    assert method.warm_start(problem, other, device="cpu", seed=0).before is None


def test_slices_in_other_units_are_brought_to_the_scale_of_this_one():
    mixture = torch.linspace(-3.0, 9.0, 12).reshape(1, 1, 3, 4)
    old, new = Scaling(-3.0, 9.0), Scaling(-5.0, 15.0)
    shares = torch.cat([0.3 * (mixture + 3) / 12, 0.7 * (mixture + 3) / 12])
    moved = rescaled(shares, old, new)
    torch.testing.assert_close(moved.sum(dim=0, keepdim=True), (mixture + 5) / 20)
    torch.testing.assert_close(moved[1] - moved[0], (shares[1] - shares[0]) * 12 / 20)


@pytest.mark.skipif(not feedforward.weights_available(), reason="needs trained weights")
def test_a_film_is_less_restless_than_its_frames_and_nearer_to_the_truth():
    case = film_case("coffee", "chelsea", 64)
    method, states, gains, answers = Feedforward(FeedforwardConfig(looks=1)), [], [], []
    for t in range(4):
        problem = Problem(torch.from_numpy(case.mixture[t]).permute(2, 0, 1)[None])
        alone = method.start(problem, device="cpu", seed=0)
        list(method.advance(alone))
        state = alone if not states else method.warm_start(problem, states[-1], device="cpu", seed=0)
        list(method.advance(state))
        torch.testing.assert_close(state.sources.sum(dim=0, keepdim=True), problem.observations)
        states.append(state)
        found = [s.sources.permute(0, 2, 3, 1).numpy() for s in (alone, state)]
        scores = [score(f, case.truths[:, t], case.mixture[t], lo=0, hi=1) for f in found]
        gains.append([s["mean_gain_offset_free"] for s in scores])
        answers.append([f[s["assignment"]] for f, s in zip(found, scores, strict=True)])
    assert states[-1].carried.enough
    assert states[-1].frames == 3
    assert gains[-1][1] > gains[-1][0] + 0.3
    alone_restless, restless = (
        flicker(np.stack([a[k] for a in answers], axis=1), case.truths[:, :4]) for k in range(2)
    )
    assert restless < 0.9 * alone_restless


def test_candidates_add_up_and_are_gone_with_the_state(weights: Path):
    mixture = _mixture(3, 50, 40)[0].permute(1, 2, 0).numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        settings = {"weights": weights, "looks": 1}
        first, second = (nb.run("separate", mixture, method="feedforward", settings=settings) for _ in "12")
    assert len(first.candidates) == 3
    for sources in first.candidates:
        assert sources.shape == first.sources.shape
        np.testing.assert_allclose(sources.sum(axis=0), mixture, atol=1e-6)
    first.drop_state()
    assert len(first.candidates) == 3
    chosen = first.choose(2)
    np.testing.assert_array_equal(chosen.sources, first.candidates[1])
    assert chosen.provenance["candidate"] == 2
    assert set(first.outputs) - set(chosen.outputs) == {"confidence"}
    assert first.choose(0) is first
    with pytest.raises(ValueError, match=r"Expected a candidate from 0 \(the answer\) to 3, got 4"):
        first.choose(4)
    second.drop_state()
    assert second.candidates == ()
