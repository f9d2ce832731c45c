"""Windows shown to the network after the whole."""

from __future__ import annotations

import torch

from napari_bitsnet.core.stages import exhaust
from napari_bitsnet.methods.feedforward.multi_crop import _together, _windows, follow_windows, window_answers
from napari_bitsnet.methods.feedforward.network import ANSWER_SIZE, SplitNetwork, reduce_image


class Oracle(SplitNetwork):
    """Knows d for every window it is shown, but for its sign: half of the windows come out negative."""

    def __init__(self) -> None:
        super().__init__(widths=(8,))

    def forward(self, mixture: torch.Tensor, hints: torch.Tensor) -> torch.Tensor:
        signs = torch.where(torch.arange(len(mixture)) % 2 == 0, 1.0, -1.0).reshape(-1, 1, 1, 1)
        return signs * (reduce_image(mixture, ANSWER_SIZE) - 0.5)


def _look(mixture: torch.Tensor, difference: torch.Tensor, weight: float) -> torch.Tensor:
    said = exhaust(window_answers(Oracle(), mixture, torch.zeros(1, 2, *mixture.shape[-2:])))
    return follow_windows(said, difference, mixture.shape[-1] // 2, weight=weight)[0]


def _smooth(seed: int) -> torch.Tensor:
    noise = torch.rand((1, 3, 8, 8), generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(noise, (256, 256), mode="bicubic")


def test_windows_go_back_to_where_they_came_from():
    image = torch.rand(1, 2, 64, 64, generator=torch.Generator().manual_seed(0))
    windows = _windows(image, 32)
    assert windows.shape == (9, 2, 32, 32)
    assert torch.equal(windows[1], image[0, :, :32, 16:48])
    image = torch.rand(1, 2, 128, 128, generator=torch.Generator().manual_seed(0))
    windows = _windows(image, ANSWER_SIZE)
    back = _together(windows, (128, 128)) / _together(torch.ones_like(windows), (128, 128))
    torch.testing.assert_close(back, image)


def test_no_weight_is_plain_enlargement():
    d = torch.rand(1, 3, 64, 64)
    assert torch.equal(
        _look(_smooth(0), d, 0.0), torch.nn.functional.interpolate(d, scale_factor=2.0, mode="bilinear")
    )


def test_windows_that_know_better_help_whatever_their_sign():
    mixture = _smooth(1)
    truth = reduce_image(mixture, 2 * ANSWER_SIZE) - 0.5
    rough = torch.nn.functional.avg_pool2d(truth, 32)
    rough = torch.nn.functional.interpolate(rough, (ANSWER_SIZE, ANSWER_SIZE), mode="nearest")
    errors = [
        float((_look(mixture, s * rough, w) - s * truth).square().mean()) for s in (1, -1) for w in (0.0, 1.0)
    ]
    assert errors[1] < 0.5 * errors[0]
    assert errors[3] < 0.5 * errors[2]


def test_windows_unrelated_to_the_answer_say_nothing():
    """Where d so far is zero, or at right angles to what a window says, the window adds nothing."""
    nothing = _look(_smooth(2), torch.zeros(1, 3, 64, 64), 1.0)
    assert nothing.abs().max() == 0
