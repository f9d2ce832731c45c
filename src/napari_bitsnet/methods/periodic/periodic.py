"""Separate two periodic patterns, such as tiles or weave, by their periods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_bitsnet.core.config import Config as BaseConfig
from napari_bitsnet.core.config import setting
from napari_bitsnet.core.notices import Notice
from napari_bitsnet.core.problem import Problem, State, Traits
from napari_bitsnet.core.stages import Stage, Stages, named
from napari_bitsnet.methods import METHODS, Answer, Cost, StagedMethod

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_bitsnet.methods.periodic.repeating import Repeating
FIRST_NOISE = 0.02
"""Initial variance per pixel of the part that does not repeat."""
NONE = Notice(
    "not_separated",
    "No repeating pattern was found, so each source is half of the image.",
    "For other images use method 'feedforward'.",
)
ONE = Notice(
    "method", "One repeating pattern was found, not two: source 1 is the pattern, source 2 all the rest."
)
WHOLE = Notice(
    "not_separated",
    "The image was not separated: one pattern explains more than 90 % of it, and source 2 is almost empty. "
    "If source 1 shows two patterns, they have a common period, and their own periods were not found.",
)
REPEATS = 0.6
"""Value of `repetition` above which this method is recommended: at 256 × 256 pixels, 14 of 17 mixtures with
drawn or photographed patterns reach it, and 1 of 70 mixtures without patterns."""
REPEATS_AT, REPEATS_FROM = 256, 64
"""Longer side at which `repetition` is measured, and smallest shorter side, in pixels: smaller images repeat
by chance."""
LITTLE = 0.1
"""Fraction of the energy below which the residual of a single pattern counts as empty."""
SMALLEST = 24
"""Shorter side, in pixels, below which no lattice is searched for."""


class PeriodicConfig(BaseConfig):
    """Settings of the method."""

    rigid: int = setting(4, "Rounds that fit the patterns' cells without displacement.", ge=1, le=50, step=1)
    coarse: int = setting(6, "Rounds that displace large parts of the patterns.", ge=0, le=50, step=1)
    fine: int = setting(6, "Rounds that displace smaller parts of the patterns.", ge=0, le=50, step=1)
    width: float = setting(
        0.12,
        "Width of the parts displaced together in the coarse rounds, as a fraction of the shorter side; "
        "fine rounds use two thirds of it.",
        ge=0.02,
        le=1,
        step=0.01,
    )
    caution: float = setting(
        2.0,
        "Factor on the estimated noise variance: larger values give smoother cells.",
        ge=0.1,
        le=20,
        step=0.1,
    )


@dataclass(kw_only=True)
class PeriodicState(State):
    """Patterns found (at most two), the image without its mean (C, H, W), and the estimated noise."""

    patterns: list[Repeating] | None = None
    centred: Tensor | None = None
    seen: Tensor | None = None  # (H, W), 1 where pixels are known
    noise: float = FIRST_NOISE


@METHODS.register("periodic")
class Periodic(StagedMethod[PeriodicState]):
    """Fit two periodic cells with their displacements, and divide the residual by their local energy.

    ``I = T_1(L_1⁻¹ (x + d_1(x))) + T_2(L_2⁻¹ (x + d_2(x))) + rest``. The period vectors L come from the
    autocorrelation. Least squares fits both cells T together, under Gaussian spectra that are learnt from
    them. Lucas-Kanade steps fit the displacements d. The mean colour cannot be attributed, so each pattern
    gets half of it.
    """

    name = "periodic"
    title = "Repeating patterns"
    summary = "Separates two repeating patterns (tiles, weave, screens), or one pattern and a picture."
    Config = PeriodicConfig
    presets: Mapping[str, BaseConfig] = {
        "quick": PeriodicConfig(rigid=3, coarse=3, fine=0),
        "balanced": PeriodicConfig(),
        "best": PeriodicConfig(coarse=10, fine=6),
    }
    cost = Cost(0.4, 1.6, 700)
    config: PeriodicConfig
    full_resolution = False

    @property
    def iterations(self) -> int:
        """Return the number of rounds of all three kinds."""
        return self.config.rigid + self.config.coarse + self.config.fine

    def unsupported_reason(self, traits: Traits) -> str | None:
        if traits.mixing != "linear" or traits.n_observations != 1:
            return "It separates one image whose sources add up; for several mixtures use ica."
        if traits.n_sources != 2:
            return "It separates exactly two patterns."
        if traits.n_guides:
            return "It cannot use guides: use guided_regression."
        return None

    @classmethod
    def recommendation(cls, mixture: NDArray, traits: Traits) -> Notice | None:
        """See `BaseMethod.recommendation`: for one image that resembles itself at a distance."""
        if traits.n_guides or traits.has_hints or cls().unsupported_reason(traits) is not None:
            return None
        import numpy as np
        from skimage.transform import resize

        from napari_bitsnet.methods.periodic.lattices import repetition

        image = np.atleast_3d(np.asarray(mixture, dtype=np.float64))[..., :3]
        image = np.nan_to_num(image, posinf=0, neginf=0)
        factor = min(1.0, REPEATS_AT / max(image.shape[:2]))
        size = (round(factor * image.shape[0]), round(factor * image.shape[1]))
        if min(size) < REPEATS_FROM:
            return None
        found = repetition(np.moveaxis(resize(image, size, anti_aliasing=factor < 1), -1, 0))
        if found < REPEATS:
            return None
        return Notice(
            "method",
            "This image resembles itself at a distance (correlation {correlation:.2f}).",
            "If it contains repeating patterns, such as tiles, weave or a screen, they are separated much "
            'better with method="periodic".',
            {"correlation": found},
        )

    def start(self, problem: Problem, *, device: str, seed: int) -> PeriodicState:
        """See `Method.start`; nothing is random."""
        return PeriodicState(problem=problem.to(device))

    def iterating(self, state: PeriodicState) -> Stages[dict[str, Tensor]]:
        """See `StagedMethod.iterating`: the search for the periods, and the parts of a round; returns the
        fraction of the energy that does not repeat."""
        if state.patterns is None or state.centred is None:
            yield from self._find(state)
        return (yield from self._round(state))

    def _find(self, state: PeriodicState) -> Stages[None]:
        """Search for lattices, and add a notice if there are not two."""
        from napari_bitsnet.methods.periodic.lattice_pair import finding_lattices
        from napari_bitsnet.methods.periodic.repeating import Repeating

        image, valid = state.problem.observations[0], state.problem.valid
        size = (image.shape[-2], image.shape[-1])
        state.seen = None if valid is None else valid[0, 0].to(image)
        known = image.new_ones(size) if state.seen is None else state.seen
        mean = (image * known).sum(dim=(1, 2), keepdim=True) / known.sum().clamp_min(1)
        state.centred = (image - mean) * known
        lattices = []
        if min(size) >= SMALLEST:
            lattices = yield from named("search", finding_lattices(image, state.seen))
        if len(lattices) < 2:
            state.notices.append(ONE if lattices else NONE)
        state.patterns = [Repeating(lattice, size, len(image), image, state.seen) for lattice in lattices]

    def _round(self, state: PeriodicState) -> Stages[dict[str, Tensor]]:
        """Displace the patterns in later rounds, fit their cells, learn their spectra and the noise."""
        from napari_bitsnet.methods.periodic.split import displace, fit_cells

        assert state.patterns is not None
        assert state.centred is not None
        patterns, image = state.patterns, state.centred
        energy = (image**2).mean().clamp_min(1e-12)
        if not patterns:
            return {"unrepeated": energy / energy}
        if state.step >= self.config.rigid:
            fine = state.step >= self.config.rigid + self.config.coarse
            width = self.config.width * min(image.shape[-2:]) * (2 / 3 if fine else 1)
            yield Stage(f"round {state.step + 1} of {self.iterations}, displacements")
            displace(patterns, self._rest(state), width, state.seen)
        yield Stage(f"round {state.step + 1} of {self.iterations}, cells")
        fit_cells(patterns, image, state.noise)
        for pattern in patterns:
            pattern.learn(state.noise)
        left = (self._rest(state) ** 2).mean()
        state.noise = self.config.caution * max(float(left), 1e-7)
        if len(patterns) == 1 and left < LITTLE * energy and WHOLE not in state.notices:
            state.notices.append(WHOLE)
        return {"unrepeated": left / energy}

    @staticmethod
    def _rest(state: PeriodicState) -> Tensor:
        """Return the residual of all patterns, (C, H, W); 0 where pixels are missing."""
        assert state.patterns is not None
        assert state.centred is not None
        rest = state.centred
        for pattern in state.patterns:
            rest = rest - pattern.image
        return rest if state.seen is None else rest * state.seen

    def solution(self, state: PeriodicState) -> Answer:
        """See `Method.solution`: a source is a pattern, its part of the residual and half of the mean."""
        import torch

        from napari_bitsnet.methods.periodic.split import divide_rest

        image = state.problem.observations[0]
        if not state.patterns:
            return {"sources": (image / 2).expand(2, -1, -1, -1)}
        with torch.no_grad():
            shown = [pattern.image for pattern in state.patterns]
            first = shown[0]
            if len(shown) == 2:
                first = first + divide_rest(shown[0], shown[1], self._rest(state))
            first = first - first.mean(dim=(1, 2), keepdim=True) + image.mean(dim=(1, 2), keepdim=True) / 2
            return {"sources": torch.stack([first, image - first])}
