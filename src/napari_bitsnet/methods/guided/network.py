"""A small network for each guide, trained on the image itself: a function of colours and surroundings, with a
drift."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import skip_init

from napari_bitsnet.core.displacement import Window, strips
from napari_bitsnet.core.operators.blur import blur
from napari_bitsnet.core.stages import Stage, Stages
from napari_bitsnet.methods.guided.drift import Drift
from napari_bitsnet.methods.guided.holdout import checkerboard

WIDTHS = (1.0, 2.0, 4.0, 8.0)
"""Standard deviations of the Gaussians that blur the colours, in pixels where the shorter side has
`REFERENCE` pixels."""
REFERENCE = 128
"""Shorter side, in pixels, of the images on which the design was chosen."""
HIDDEN = 32
"""Units of each of the two hidden layers."""
SCALES = 4
"""Scales at which gradients are compared."""
RATE, DECAY = 1e-2, 1e-3
"""Largest learning rate of the one-cycle schedule, and AdamW's weight decay."""
TRAINED_ON = 2**14
"""Larger images are reduced to this many pixels for the training; the networks then apply at full size."""
STRIP = 2**17
"""Pixels that a network looks at in one piece at full size."""
TOLD = 10
"""Training steps between two stages."""


def surroundings(guide: Tensor) -> Tensor:
    """Return colours and their blurs, of mean zero, in standard deviations of the guide: (1, C, H, W) -> (1,
    5 C, H, W)."""
    centred = guide - guide.mean((2, 3), keepdim=True)
    centred = centred / (centred.std() + 1e-3)
    factor = min(guide.shape[-2:]) / REFERENCE
    return torch.cat([centred, *(blur(centred, factor * width) for width in WIDTHS)], dim=1)


class PixelNetwork(nn.Module):
    """Two hidden layers of 1 × 1 convolutions with SiLU, and linear paths beside them, one of them of a
    drift.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Channels.
    drift : Drift or None
        Of the guide, if there is one.
    generator : Generator
        Draws the first weights.
    """

    def __init__(
        self, n_inputs: int, n_outputs: int, drift: Drift | None, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.drift = drift
        # skip_init: the global generator is left alone
        first, second = (skip_init(nn.Conv2d, n, HIDDEN, 1) for n in (n_inputs, HIDDEN))
        for layer in (first, second):
            nn.init.normal_(layer.weight, std=1.2 / layer.in_channels**0.5, generator=generator)
            assert layer.bias is not None
            nn.init.normal_(layer.bias, std=0.3, generator=generator)
        self.hidden = nn.Sequential(first, nn.SiLU(), second, nn.SiLU())
        self.out = skip_init(nn.Conv2d, HIDDEN, n_outputs, 1, bias=False)
        nn.init.normal_(self.out.weight, std=0.1 / HIDDEN**0.5, generator=generator)
        self.linear = skip_init(nn.Conv2d, n_inputs, n_outputs, 1, bias=False)
        nn.init.zeros_(self.linear.weight)
        if drift is not None:
            self.drifting = skip_init(nn.Conv2d, len(drift), n_outputs, 1, bias=False)
            nn.init.zeros_(self.drifting.weight)

    def forward(self, x: Tensor, drifting: Tensor | None = None) -> Tensor:
        """Return (N, n_outputs, H, W) for inputs (N, n_inputs, H, W) and features of the drift, if there is
        one."""
        result: Tensor = self.out(self.hidden(x)) + self.linear(x)
        return result if drifting is None else result + self.drifting(drifting)

    @torch.no_grad()
    def at_full_size(self, guide: Tensor) -> Tensor:
        """Return the network's change (1, n_outputs, H, W) for a guide (1, C, H, W) of any size, row by row
        of strips."""
        inputs, (height, width) = surroundings(guide), guide.shape[-2:]
        parts = []
        for strip in strips(height, width, STRIP):
            drift = None if self.drift is None else self.drift(guide, strip)[None]
            parts.append(self(strip.crop(inputs), drift))
        return torch.cat(parts, dim=-2)


def scaled_gradients(image: Tensor) -> list[Tensor]:
    """Return the differences, in both directions, of the means of blocks of 1, 2, 4 and 8 pixels."""
    found = []
    for scale in range(SCALES):
        if min(image.shape[-2:]) >= 2 ** (scale + 1):
            means = F.avg_pool2d(image, 2**scale) if scale else image
            found += [means.diff(dim=-1), means.diff(dim=-2)]
    return found


def gradient_masks(seen: Tensor) -> list[Tensor]:
    """Return 1 where both blocks of a difference lie wholly in `seen` (1, 1, H, W) bool, as
    `scaled_gradients` orders them."""
    found = []
    for scale in range(SCALES):
        if min(seen.shape[-2:]) >= 2 ** (scale + 1):
            bad = (~seen).float()
            bad = F.max_pool2d(bad, 2**scale) if scale else bad
            found += [
                ((bad[..., 1:] + bad[..., :-1]) == 0).float(),
                ((bad[..., 1:, :] + bad[..., :-1, :]) == 0).float(),
            ]
    return found


def gradient_errors(image: Tensor, target: Sequence[Tensor], masks: Sequence[Tensor]) -> Tensor:
    """Return the mean absolute error of the gradients, relative to the target's, for each scale and
    direction."""
    return torch.stack(
        [
            ((a - b).abs() * mask).sum() / ((b.abs() * mask).sum() + 1e-4 * mask.sum() + 1e-12)
            for a, b, mask in zip(scaled_gradients(image), target, masks, strict=True)
        ]
    )


class Training:
    """The networks of all guides and what they are trained on.

    Parameters
    ----------
    guides : sequence of Tensor (1, C_g, H, W)
        The guides as they lie on the mixture.
    mixture : Tensor of shape (1, C, H, W)
        The observation.
    base : Tensor of shape (1, C, H, W)
        Sum of what the guides explain before the training.
    valid : Tensor of shape (1, 1, H, W), bool, optional
        Pixels to look at.
    drifting : bool
        Whether densities may drift along the image. With one guide the drift would learn the other source.
    seed : int
        Seed of the first weights and of the drift's clusters.
    """

    def __init__(
        self,
        guides: Sequence[Tensor],
        mixture: Tensor,
        base: Tensor,
        valid: Tensor | None = None,
        *,
        drifting: bool = True,
        seed: int = 0,
    ) -> None:
        size = mixture.shape[-2:]
        factor = (TRAINED_ON / (size[0] * size[1])) ** 0.5
        small = size if factor >= 1 else torch.Size(max(2, round(n * factor)) for n in size)

        def reduced(image: Tensor) -> Tensor:
            return image if small == size else F.interpolate(image, tuple(small), mode="area")

        self.seed = seed
        guides = [reduced(guide) for guide in guides]
        self.drifts = [Drift(guide, seed) if drifting else None for guide in guides]
        whole = Window(0, 0, *small)
        self.inputs = [
            (surroundings(guide), None if drift is None else drift(guide, whole)[None])
            for guide, drift in zip(guides, self.drifts, strict=True)
        ]
        self.base = reduced(base)
        self.target = scaled_gradients(reduced(mixture))
        everywhere = torch.ones(1, 1, *small, dtype=torch.bool, device=mixture.device)
        self.valid = everywhere if valid is None else reduced(valid.float()) > 0.999
        self.n_outputs = mixture.shape[1]

    def train(self, steps: int, seen: Tensor) -> Stages[list[PixelNetwork]]:
        """Train a network for each guide, so that the base and their sum have the mixture's gradients in
        `seen`.

        Parameters
        ----------
        steps : int
            Steps of AdamW with a one-cycle learning rate.
        seen : Tensor of shape (1, 1, h, w), bool
            Pixels that are looked at.
        """
        generator = torch.Generator().manual_seed(self.seed)
        networks = [
            PixelNetwork(x.shape[1], self.n_outputs, drift, generator).to(self.base.device)
            for (x, _), drift in zip(self.inputs, self.drifts, strict=True)
        ]
        weights = [weight for network in networks for weight in network.parameters()]
        optimiser = torch.optim.AdamW(weights, RATE / 3, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=max(steps, 2))
        masks = gradient_masks(seen & self.valid)
        for step in range(steps):
            if step % TOLD == 0:
                yield Stage(f"step {step + 1} of {steps}")
            with torch.enable_grad():
                total = self.base + sum(n(*x) for n, x in zip(networks, self.inputs, strict=True))
                loss = gradient_errors(total, self.target, masks).sum()
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
            optimiser.step()
            schedule.step()
        return networks

    def changes(self, networks: Sequence[PixelNetwork]) -> Tensor:
        """Return the sum of the networks' changes, (1, C, h, w), at the size of the training."""
        with torch.no_grad():
            return torch.stack([n(*x) for n, x in zip(networks, self.inputs, strict=True)]).sum(0)

    def held_out_error(self, steps: int) -> Stages[float]:
        """Return the error in the half of a checkerboard that was not trained on, relative to the base's
        error there."""
        seen = checkerboard((self.base.shape[-2], self.base.shape[-1])).to(self.base.device)
        networks = yield from self.train(steps, seen)
        masks = gradient_masks(~seen & self.valid)
        after = gradient_errors(self.base + self.changes(networks), self.target, masks).mean()
        return float(after / gradient_errors(self.base, self.target, masks).mean().clamp_min(1e-12))
