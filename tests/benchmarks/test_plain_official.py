"""The preset `official` against its plain execution: the same answers in float64."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmarks.speed.plain_official import PlainOfficial, plain_exclusion
from napari_bitsnet.core.denoisers.nlm import nlm
from napari_bitsnet.core.losses.exclusion import exclusion_loss
from napari_bitsnet.core.problem import Problem
from napari_bitsnet.methods.dip.adam import DipFit
from napari_bitsnet.methods.dip.bitsnet import BitsNet
from napari_bitsnet.methods.dip.schedules import unorient
from napari_bitsnet.methods.dip.transparency import UntrainedState
from tests.methods.dip.generated import generated

METHOD = BitsNet(BitsNet.presets["official"])


def denoise(plane: NDArray) -> NDArray:
    """The project's own f, so that only the order of execution differs."""
    return nlm(torch.from_numpy(plane)[None, None], 3 / 255)[0, 0].numpy()


def double_state() -> UntrainedState:
    """A run in float64, late enough for jitter, from zero ADMM variables."""
    image = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    state = METHOD.start(Problem(image), device="cpu", seed=0)
    state.problem = Problem(image.double())
    state.fit = DipFit(
        [network.double() for network in state.fit.networks],
        [fixed.double() for fixed in state.fit.inputs],
        learning_rate=0.008,
        rng=state.fit.rng,
    )
    state.first = state.first.double()
    state.admm = METHOD.split_variables(state.first)
    return state


def test_five_steps_agree_with_the_plain_execution() -> None:
    state = double_state()
    plain = PlainOfficial(state, denoise=denoise)
    state.step = plain.step = 100  # jitter .001; five steps upright, turned, upright, …
    advance = METHOD.advance(state)
    for _ in range(5):
        next(advance)
        plain.advance()
    assert state.admm is not None
    assert sum(bool(z.any()) for z in state.admm.z) == 4
    for orientation, ours in enumerate(state.admm.z):
        plainly = torch.cat([unorient(z[orientation], orientation) for z in plain.z])
        torch.testing.assert_close(ours, plainly, rtol=1e-6, atol=1e-9)
    with torch.no_grad():
        images = generated(state.fit)[0]
        expected = torch.cat([n(i)[0] for n, i in zip(plain.networks, plain.inputs, strict=True)])
    torch.testing.assert_close(images, expected, rtol=1e-6, atol=1e-9)


def test_plain_exclusion_is_the_same_loss() -> None:
    a, b = torch.rand(2, 1, 3, 16, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert float(plain_exclusion(a, b)) == pytest.approx(float(exclusion_loss(a, b)), rel=1e-9)


def test_all_copies_are_denoised_every_ten_steps() -> None:
    calls: list[tuple[int, ...]] = []

    def spy(plane: NDArray) -> NDArray:
        calls.append(plane.shape)
        return np.zeros_like(plane)

    plain = PlainOfficial(double_state(), denoise=spy)
    for step in range(21):
        plain.step = step
        plain.refresh()
    assert len(calls) == 3 * 2 * 8 * 3
