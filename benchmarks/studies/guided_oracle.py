"""How far could guided separation come if it knew the pigments?

Data: aligned simulated panels with two guides (no download). The fit is given the simulator's own clusters of
colours, cracks and spreads of weights and drifts; only their values are unknown. Its gain is a ceiling for
every fit of this kind, below that of `Panel.ceiling`, which knows the values too.
Command: ``python -m benchmarks.studies.guided_oracle --first 1000 --n 8``
Answer: 90.5 % of the ceiling's decibels; see ``docs/benchmarks/guided.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

import napari_bitsnet as nb
from benchmarks.studies import panel_arguments
from napari_bitsnet.core.displacement import Modes, Window
from napari_bitsnet.core.images import normalise
from napari_bitsnet.core.stages import exhaust
from napari_bitsnet.data import panel as panels
from napari_bitsnet.data.panel import Panel, Recipe, simulate_panel
from napari_bitsnet.data.xray_layers import Pigments
from napari_bitsnet.methods.guided.gradient_fit import Piece, fitting_gradients

ORDER = 5
"""Half waves, and one, along which densities drift: finer ones carry nothing here."""
WEIGHT, SLOPE = 0.25, 0.5
"""Standard deviations of weights and slopes."""


def drawn(seed: int, size: int) -> tuple[Panel, list[Pigments]]:
    """An aligned panel, and the pigments of its sides."""
    found: list[Pigments] = []

    def recorded(draw: Callable[..., Pigments]) -> Callable[..., Pigments]:
        def wrapped(*arguments: Any, **settings: Any) -> Pigments:
            found.append(draw(*arguments, **settings))
            return found[-1]

        return wrapped

    with patch.object(panels, "draw_pigments", recorded(panels.draw_pigments)):
        panel = simulate_panel(seed, size, misregistration=0.0)
    return panel, found


def expected(pigments: Pigments, scale: float) -> tuple[Tensor, Tensor]:
    """Features (N, Y, X) of a side in which its density is linear, and one over the variance of their weights
    (N,)."""
    members = torch.from_numpy(pigments.members).permute(2, 0, 1).float()
    shades = torch.from_numpy(pigments.shades).permute(2, 0, 1).float()
    size = (members.shape[1], members.shape[2])
    modes = Modes(size, ORDER)
    indices = torch.tensor(modes.indices, dtype=torch.float32)
    length = Recipe().drift_length * min(size)
    steepness = np.pi * indices / torch.tensor(size)
    power = (-((length * steepness) ** 2).sum(dim=1)).exp()  # of white noise through a Gaussian filter
    power /= (power * torch.where(indices == 0, 1.0, 0.5).prod(dim=1)).sum()
    fields = modes.fields(Window(0, 0, *size), members)[1:]
    count, heights = len(members), torch.from_numpy(pigments.weights).float()
    spreads = (scale * pigments.drift * heights)[:, None] * power[1:].sqrt()
    features = torch.cat([members, members * shades, (members[:, None] * fields).flatten(0, 1)])
    weights = torch.cat([torch.full((count,), scale * WEIGHT), torch.full((count,), scale * SLOPE)])
    return features, torch.cat([weights, spreads.flatten()]).clamp_min(1e-6) ** -2


def gains(seed: int, size: int) -> tuple[float, float]:
    """Offset-free gain of the fit that knows the pigments, and of the ceiling."""
    panel, pigments = drawn(seed, size)
    seen = normalise(panel.mixture)
    spans = [float(e.std() / p.density.std()) for e, p in zip(panel.explained, pigments, strict=True)]
    sides = [expected(p, span / seen.scaling.span) for p, span in zip(pigments, spans, strict=True)]
    fitting = fitting_gradients(
        [Piece(torch.cat([features for features, _ in sides]), seen.tensor[0])],
        torch.cat([precision for _, precision in sides]),
        scales=4,
        n_reweightings=4,
    )
    fit = exhaust(fitting)
    parts = fit.coefficients[:, 0].split([len(precision) for _, precision in sides])
    explained = torch.stack([torch.einsum("n,nhw->hw", w, f) for w, (f, _) in zip(parts, sides, strict=True)])
    explained -= explained.mean(dim=(1, 2), keepdim=True)
    sources = seen.scaling.span * (explained + (seen.tensor[0] - explained.sum(dim=0)) / 2)
    return tuple(
        nb.metrics.score(np.asarray(answer), panel.truths, panel.mixture)["mean_gain_offset_free"]
        for answer in (sources, panel.ceiling(2))
    )


def main() -> None:
    """Measure and print one line a panel, and the means."""
    parser = panel_arguments(__doc__, first=1000, n=8, size=256)
    arguments = parser.parse_args()
    found = []
    for seed in range(arguments.first, arguments.first + arguments.n):
        found.append(gains(seed, arguments.size))
        print(f"panel {seed}: {found[-1][0]:+.2f} of {found[-1][1]:+.2f}", flush=True)
    known, top = np.mean(found, axis=0)
    print(f"mean: {known:+.2f} of {top:+.2f}, {100 * known / top:.1f} %")


if __name__ == "__main__":
    main()
