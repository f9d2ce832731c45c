"""The preset "official" against the released code's settings, row by row (what the run depends on).

The rows are facts about the BITS-Net release, commit 35c8711, as read in its source.
"""

from typing import Any

import pytest
import torch
from torch import nn

from napari_bitsnet.core.denoisers import DENOISERS
from napari_bitsnet.core.losses.exclusion import exclusion_loss
from napari_bitsnet.core.losses.features import draw_channels, feature_exclusion_loss
from napari_bitsnet.core.problem import Problem
from napari_bitsnet.methods.dip.bitsnet import BitsNet, BitsNetConfig
from napari_bitsnet.methods.dip.schedules import jitter_at, orientation_at
from napari_bitsnet.methods.dip.transparency import UntrainedState
from tests.methods.dip.generated import generated

OFFICIAL = BitsNet.presets["official"]
PAPER = BitsNet.presets["paper"]

ROWS: list[tuple[str, str, Any]] = [
    ("1, networks add up to the mixture by a loss, not by construction", "exact", False),
    ("1, no start", "start", "none"),
    ("3, networks draw the sources themselves", "correction", 0),
    ("3, nothing holds them elsewhere", "anchor", 0),
    ("5, gradients are not balanced", "balanced_exclusion", False),
    ("6, one layer", "kappa", (1,)),
    ("6, through a sigmoid", "squash_features", True),
    ("6, three channels a step", "feature_channels", 3),
    ("7, alpha 1", "alpha_exclusion", 0.01),
    ("7, alpha 2", "alpha_features", 0.001),
    ("7, lambda", "lam", 0.5),
    ("7, mu", "mu", 0.5),
    ("7, twice the printed factor", "coupling", 2.0),
    ("7, learning rate", "learning_rate", 0.008),
    ("7, iterations", "iterations", 8000),
    ("8, denoiser", "denoiser", "nlm"),
    ("8, sigma", "sigma", 3 / 255),
    ("9, denoised every so many steps", "denoise_every", 10),
    ("10, eight copies", "copy_per_orientation", True),
    ("11, ADMM starts at zero", "split_start", "zero"),
    ("13, noise channels", "input_channels", 3),
    ("13, noise range", "input_scale", 0.005),
    ("13, jitter", "jitter", True),
    ("14, orientations", "orientations", True),
    ("15, kernels", "kernel_size", 5),
    ("15, widths", "channels", (8, 16, 32, 64, 128)),
    ("15, skips", "skip_channels", (0, 0, 0, 4, 4)),
    ("16, best remix is kept", "keep", "best"),
    ("18, runs to the end", "early_stopping", False),
]


@pytest.mark.parametrize(("row", "name", "value"), ROWS, ids=[row for row, _, _ in ROWS])
def test_setting(row: str, name: str, value: object) -> None:
    assert getattr(OFFICIAL, name) == value, row


def test_paper_preset_is_the_printed_equations() -> None:
    """Same weights; one un-rotated pair of ADMM variables, f in every step, all channels, mu / 2."""
    same = ("alpha_exclusion", "alpha_features", "lam", "mu", "learning_rate", "iterations", "kappa", "exact")
    assert all(getattr(PAPER, name) == getattr(OFFICIAL, name) for name in same)
    assert (PAPER.feature_channels, PAPER.squash_features) == (0, False)
    assert (PAPER.coupling, PAPER.denoise_every, PAPER.copy_per_orientation) == (1.0, 1, False)


@pytest.fixture(scope="module")
def problem() -> Problem:
    rng = torch.Generator().manual_seed(0)
    return Problem(torch.rand(1, 3, 32, 32, generator=rng))


@pytest.fixture
def state(problem: Problem) -> UntrainedState:
    return BitsNet(OFFICIAL).start(problem, device="cpu", seed=0)


def test_row_3_and_15_networks(state: UntrainedState) -> None:
    for network in state.fit.networks:
        assert sum(p.numel() for p in network.parameters()) == 1_544_987
        assert (network.output, network.upsampling) == ("sigmoid", "bilinear")
        assert network.training  # batch norm always in train mode
        kinds = {type(layer) for layer in network.modules()}
        assert nn.BatchNorm2d in kinds
        assert {layer.negative_slope for layer in network.modules() if isinstance(layer, nn.LeakyReLU)} == {
            0.2
        }


def test_row_4_and_7_terms_are_means_with_the_released_weights(
    state: UntrainedState, problem: Problem
) -> None:
    """Before the first step z = u = 0: the coupling is .5 * mean(y^2)."""
    with torch.no_grad():
        images, features = generated(state.fit)
        expected = {
            "reconstruction": (images.sum(0) - problem.observations[0]).abs().mean(),
            "exclusion": 0.01 * exclusion_loss(images[:1], images[1:], n_scales=3),
            "coupling": 0.5 * (images**2).mean(),
        }
        chosen = feature_exclusion_loss(
            features,
            kappa=(0,),
            squash=True,
            channels=draw_channels([8], 2, 3, torch.Generator().manual_seed(0)),
        )
    losses = next(BitsNet(OFFICIAL).advance(state))
    assert {name: float(losses[name]) for name in expected} == pytest.approx(
        {name: float(value) for name, value in expected.items()}, rel=1e-4
    )
    assert float(losses["features"]) == pytest.approx(0.001 * float(chosen), rel=1e-3)
    assert float(losses["total"]) == pytest.approx(sum(float(v) for k, v in losses.items() if k != "total"))


def test_row_8_denoiser_settings() -> None:
    image = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    nlm: Any = DENOISERS.get("nlm")
    explicit = nlm(image, 0.1, h=0.06, patch_size=5, patch_distance=6)
    torch.testing.assert_close(nlm(image, 0.1), explicit)


def test_rows_10_to_12_admm(problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight copies from zero; each step updates its own with the image from before Adam's step."""
    monkeypatch.setitem(DENOISERS._entries, "nlm", lambda image, sigma: image / 2)
    method = BitsNet(OFFICIAL)
    state = method.start(problem, device="cpu", seed=0)
    assert state.admm is not None
    assert state.admm.z.shape == (8, 2, 3, 32, 32)
    assert float(state.admm.z.abs().max()) == float(state.admm.u.abs().max()) == 0
    with torch.no_grad():
        before = generated(state.fit)[0]
    steps = method.advance(state)
    next(steps)  # z = (.5 * f(0) + .5 * y) / 1 = y / 2, u = 0 + y - z
    torch.testing.assert_close(state.admm.z[0], before / 2)
    torch.testing.assert_close(state.admm.u[0], before / 2)
    assert float(state.admm.z[1:].abs().max()) == 0
    next(steps)  # step 1: upright again
    next(steps)  # step 2: orientation 1
    assert float(state.admm.z[1].abs().max()) > 0
    assert float(state.admm.z[2:].abs().max()) == 0


def test_row_13_inputs(state: UntrainedState) -> None:
    first, second = state.fit.inputs
    assert first.shape == (1, 3, 32, 32)
    assert not torch.equal(first, second)
    for noise in (first, second):
        assert float(noise.abs().max()) <= 0.005
        assert float(noise.std()) == pytest.approx(0.0029, rel=0.03)


def test_row_13_and_14_schedules_reach_the_generators(
    problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = BitsNet(OFFICIAL.updated({"iterations": 6, "lam": 0, "alpha_features": 0, "alpha_exclusion": 0}))
    state, seen = method.start(problem, device="cpu", seed=0), []
    look = state.fit.look

    def spy(*, orientation: int, jitter: float) -> None:
        seen.append((orientation, jitter))
        look(orientation=orientation, jitter=jitter)

    monkeypatch.setattr(state.fit, "look", spy)
    state.step = 0
    for _, _ in zip(range(6), method.advance(state), strict=False):
        pass
    assert seen == [(orientation_at(s, last=s == 5), jitter_at(s, last=s == 5)) for s in range(6)]


def test_row_16_only_upright_steps_can_be_best(problem: Problem) -> None:
    method = BitsNet(OFFICIAL.updated({"lam": 0, "alpha_features": 0}))
    state = method.start(problem, device="cpu", seed=0)
    steps, errors = method.advance(state), []
    for step in range(8):
        before = None if state.kept.value is None else state.kept.value.clone()
        next(steps)
        assert state.kept.value is not None
        errors.append(float((state.kept.value.sum(0).clamp(0, 1) - problem.observations[0]).square().mean()))
        if orientation_at(step):
            assert before is not None
            assert torch.equal(before, state.kept.value)
    assert errors == sorted(errors, reverse=True)
    assert len(set(errors)) > 2


def test_config_refuses_what_it_cannot_use() -> None:
    for changes, message in (
        ({"kappa": (6,)}, "layers from 1 to 5 in kappa"),
        ({"denoiser": "wavelet"}, "a denoiser among .*nlm.*, got 'wavelet'"),
        ({"kernel_size": 4}, "odd kernel_size, got 4"),
        ({"channels": (8, 16)}, "as many skip_channels as channels, got 5 for 2"),
        ({"channels": (8.5, 16), "skip_channels": (0, 0), "kappa": (1,)}, "whole numbers of channels"),
    ):
        with pytest.raises(ValueError, match=message):
            BitsNetConfig().updated(changes)
