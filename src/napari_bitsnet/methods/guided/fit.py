"""Fitting a `GuidedModel`: weights of colours, whole-pixel shifts, smooth displacement fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from napari_bitsnet.core.stages import Stage, Stages, exhaust, named
from napari_bitsnet.methods.guided.model import GuidedModel, GuideTerm

if TYPE_CHECKING:
    from torch import Tensor

    from napari_bitsnet.core.displacement import Window
    from napari_bitsnet.methods.guided.gradient_fit import GradientFit, Piece

STEP_LIMIT = 1.5
"""Largest change, in pixels, of a displacement coefficient in one step: the linearisation holds no
further."""
WORTHWHILE = 0.003
"""Part of the misfit by which refined displacements must lower it to be kept: by less they follow noise."""
CONVERGED = 0.01
"""Largest change, in pixels, below which registration stops."""
BLOCKS, FOLDS = 48, 4
"""About how many blocks an image that is fitted to as a whole is cut into, to judge the fit, and the number
of folds to which these belong in turn."""
KEPT = 2**18
"""Up to this many pixels features are kept in memory, else made anew each time they are needed."""


@dataclass(frozen=True)
class Data:
    """What is fitted to: observation (1, C, H, W), valid (1, 1, H, W) or None, and the windows that are
    looked at."""

    observation: Tensor
    valid: Tensor | None
    windows: list[Window]

    @property
    def pixels(self) -> int:
        """Pixels of all windows."""
        return sum(window.height * window.width for window in self.windows)

    @cached_property
    def blocks(self) -> list[Window]:
        """The windows, cut up if they are few."""
        from napari_bitsnet.core.displacement import Window

        side = max(16, round((self.pixels / BLOCKS) ** 0.5))
        cut = []
        for w in self.windows:
            rows, columns = max(1, round(w.height / side)), max(1, round(w.width / side))
            tops = [round(w.height * r / rows) for r in range(rows + 1)]
            lefts = [round(w.width * c / columns) for c in range(columns + 1)]
            cut += [
                Window(w.top + top, w.left + left, tops[r + 1] - top, lefts[c + 1] - left)
                for r, top in enumerate(tops[:-1])
                for c, left in enumerate(lefts[:-1])
            ]
        return cut

    def target(self, window: Window) -> tuple[Tensor, Tensor | None]:
        """Observation (C, h, w) and valid mask (1, h, w) on a window."""
        valid = None if self.valid is None else window.crop(self.valid)[0]
        return window.crop(self.observation)[0], valid


@dataclass(frozen=True)
class Anew:
    """An iterable that makes its pieces anew each time, so that only one is in memory."""

    make: Callable[[], Iterator[Piece]]

    def __iter__(self) -> Iterator[Piece]:
        return self.make()


def pieces_of(data: Data, make: Callable[[], Iterator[Piece]]) -> Iterable[Piece]:
    """Keep the pieces of a small image; make those of a large one anew each time, see `KEPT`."""
    return list(make()) if data.pixels <= KEPT else Anew(make)


def features_of(model: GuidedModel, data: Data, *, judged: bool = False) -> Iterable[Piece]:
    """Features of all terms, and the observation, on each window; if the fit will be `judged`, with the
    blocks of the data."""
    from napari_bitsnet.methods.guided.gradient_fit import Piece

    def make() -> Iterator[Piece]:
        for window in data.windows:
            target, valid = data.target(window)
            folds = window.numbered(data.blocks).to(target.device) % FOLDS if judged else None
            yield Piece(model.all_features(window), target, valid, folds)

    return pieces_of(data, make)


def fitting_weights(
    model: GuidedModel,
    pieces: Iterable[Piece],
    *,
    prior_std: float,
    drift_std: float,
    scales: int,
    n_reweightings: int,
    prior: Tensor | None = None,
    pixels: int = 0,
) -> Stages[GradientFit]:
    """Fit the weights of all terms together to pieces that `features_of` made, expected near `prior` (N, C)
    or zero, and store them in the terms; tells its rounds. See `fitting_gradients`."""
    import torch

    from napari_bitsnet.methods.guided.gradient_fit import fitting_gradients

    precision = torch.cat([model.precision(term, prior_std, drift_std) for term in model.terms])
    fit = yield from fitting_gradients(
        pieces,
        precision,
        scales=scales,
        n_reweightings=n_reweightings,
        prior=prior,
        pixels=pixels,
    )
    model.take(fit.coefficients)
    return fit


def search_shift(term: GuideTerm, data: Data, radius: int) -> tuple[int, int]:
    """Return the whole-pixel shift (dy, dx) of a guide, up to `radius`, that explains most gradient
    energy."""
    shifts = [(dy, dx) for dy in range(-radius, radius + 1) for dx in range(-radius, radius + 1)]
    find = shift_energies if data.valid is not None else moved_energies
    energies = find(term, data, shifts)
    return max(energies, key=lambda s: (energies[s], -abs(s[0]) - abs(s[1]))) if energies else (0, 0)


def shift_energies(
    term: GuideTerm, data: Data, shifts: list[tuple[int, int]]
) -> dict[tuple[int, int], float]:
    """Gradient energy that a guide explains at each whole-pixel shift (dy, dx); empty if no window is large
    enough.

    Only windows' interiors are compared, so that every shift sees the same pixels of the observation.
    """
    import torch

    from napari_bitsnet.core.displacement import Window
    from napari_bitsnet.methods.guided.gradient_fit import Piece, difference_rows

    radius = max(abs(d) for shift in shifts for d in shift)
    count = len(term.coarse)
    grams = {shift: 1e-3 * torch.eye(count) for shift in shifts}
    crosses: dict[tuple[int, int], Tensor] = {}
    for window in data.windows:
        inner = Window(
            window.top + radius, window.left + radius, window.height - 2 * radius, window.width - 2 * radius
        )
        if min(inner.height, inner.width) < 2:
            continue
        target, valid = data.target(inner)
        features = term.coarse(window.crop(term.image)[0])
        for dy, dx in shifts:
            moved = features[:, radius + dy :, radius + dx :][:, : inner.height, : inner.width]
            _, rows, steps, *_ = difference_rows(Piece(moved, target, valid))
            grams[dy, dx] = grams[dy, dx] + (rows.T @ rows).cpu()
            cross = (rows.T @ steps).cpu()
            crosses[dy, dx] = crosses[dy, dx] + cross if (dy, dx) in crosses else cross
    return {
        shift: float((cross * torch.linalg.solve(grams[shift], cross)).sum())
        for shift, cross in crosses.items()
    }


def moved_energies(
    term: GuideTerm, data: Data, shifts: list[tuple[int, int]]
) -> dict[tuple[int, int], float]:
    """Do what `shift_energies` does where no pixel is missing, several times as fast: one Gram matrix serves
    all shifts.

    The observation is moved instead of the guide. What enters at its borders differs from shift to shift, so
    that the explained part of its energy is compared, times the mean energy.
    """
    import torch

    from napari_bitsnet.core.displacement import Window

    radius = max(abs(d) for shift in shifts for d in shift)
    count, channels = len(term.coarse), data.observation.shape[1]
    gram = 1e-3 * torch.eye(count)
    cross, energy = torch.zeros(count, channels * len(shifts)), torch.zeros(channels * len(shifts))
    seen = False
    for window in data.windows:
        inner = Window(
            window.top + radius, window.left + radius, window.height - 2 * radius, window.width - 2 * radius
        )
        if min(inner.height, inner.width) < 2:
            continue
        seen = True
        target, _ = data.target(window)
        features = term.coarse(inner.crop(term.image)[0])
        for axis in (1, 2):
            rows = features.diff(dim=axis).flatten(1)
            steps = target.diff(dim=axis)
            height, width = inner.height - (axis == 1), inner.width - (axis == 2)
            moved = [steps[:, radius - y :, radius - x :][:, :height, :width] for y, x in shifts]
            targets = torch.stack(moved).flatten(2).flatten(0, 1)  # (shifts * C, pixels)
            gram += (rows @ rows.T).cpu()
            cross += (rows @ targets.T).cpu()
            energy += targets.square().sum(dim=1).cpu()
    if not seen:
        return {}
    explained = (cross * torch.linalg.solve(gram, cross)).sum(dim=0).view(-1, channels).sum(dim=1)
    energy = energy.view(-1, channels).sum(dim=1)
    explained = explained * energy.mean() / energy.clamp_min(1e-30)
    return dict(zip(shifts, explained.tolist(), strict=True))


def refine_displacement(
    model: GuidedModel, data: Data, pieces: Iterable[Piece], *, prior_std: float, last: bool = True
) -> float:
    """One Gauss–Newton step of all displacement fields, the weights as they are.

    Parameters
    ----------
    model : GuidedModel
        Changed in place.
    data : Data
        What is fitted to.
    pieces : iterable of Piece
        The features at the present displacement, see `features_of`.
    prior_std : float
        Standard deviation expected of the displacement's coarsest modes, in pixels.
    last : bool
        Whether no step follows; earlier ones look at one in some rows of pixels, see `thinning`.

    Returns
    -------
    float
        Largest change of a coefficient, in pixels.

    Notes
    -----
    ``I - sum_g e_g ≈ sum_g δ_g · ∇e_g`` with ``δ_g = sum_j c_gj field_j``, fitted on gradients, robustly; the
    prior holds for the whole displacement, so that it is ``-d_g`` for the step.
    """
    import torch

    from napari_bitsnet.methods.guided.gradient_fit import Piece, fitting_gradients

    counts = [len(term.weights) for term in model.terms]

    def make() -> Iterator[Piece]:
        for window, (features, target, valid, _) in zip(data.windows, pieces, strict=True):
            parts = [
                torch.einsum("nc,nhw->chw", term.weights, own)
                for term, own in zip(model.terms, features.split(counts), strict=True)
            ]
            fields = model.modes.fields(window, target)
            for c in range(len(target)):  # a displacement is the same for all channels
                columns = []
                for part in parts:
                    slopes = torch.gradient(part[c])
                    columns += [fields * slopes[0], fields * slopes[1]]
                residual = target[c] - sum(part[c] for part in parts)
                yield Piece(torch.cat(columns), residual[None], valid)

    now = torch.cat([term.displacement.flatten() for term in model.terms])
    precision = (model.modes.roughness() / prior_std**2).repeat(2 * len(model.terms))
    fitting = fitting_gradients(
        pieces_of(data, make),
        precision,
        n_reweightings=3,
        prior=-now[:, None],
        pixels=0 if last else data.pixels,
    )
    fit = exhaust(fitting)
    change = fit.coefficients[:, 0].clamp(-STEP_LIMIT, STEP_LIMIT)
    for term, part in zip(model.terms, change.chunk(len(model.terms)), strict=True):
        term.displacement = term.displacement + part.view(2, -1)
    return float(change.abs().max())


def registering(
    model: GuidedModel,
    data: Data,
    *,
    max_shift: int,
    steps: int,
    prior_std: float,
    weights: Callable[[Iterable[Piece]], Stages[GradientFit]],
) -> Stages[list[float]]:
    """Search the shifts, then refine the fields in turn with the weights; the best fields are kept.

    It tells its steps, and the rounds of the fits between them.

    Parameters
    ----------
    model : GuidedModel
        Changed in place.
    data : Data
        What is fitted to.
    max_shift : int
        Largest shift that is tried, in pixels; with 0 refinement starts from the model's displacement.
    steps : int
        Of refinement; 0 leaves the shifts.
    prior_std : float
        See `refine_displacement`.
    weights : callable
        Fits the weights to features at the present displacement.

    Returns
    -------
    list of float
        Mean absolute residual of the gradients, on the [0, 1] scale, before each step and at the end.
    """
    for term in model.terms if max_shift else ():
        yield Stage(f"registration, shifts of guide {term.source + 1}")
        dy, dx = search_shift(term, data, max_shift)
        term.displacement[0, 0], term.displacement[1, 0] = dy, dx
    pieces = features_of(model, data)
    fit = yield from named("registration", weights(pieces))
    history = [fit.misfits[0]]
    best = [term.displacement.clone() for term in model.terms]
    for step in range(steps):
        words = f"registration, step {step + 1} of at most {steps}"
        yield Stage(words)
        last = step == steps - 1
        change = refine_displacement(model, data, pieces, prior_std=prior_std, last=last)
        pieces = features_of(model, data)
        fit = yield from named(words, weights(pieces))
        history.append(fit.misfits[0])
        if history[-1] <= min((1 - WORTHWHILE) * history[0], *history[1:]):
            best = [term.displacement.clone() for term in model.terms]
        if change < CONVERGED:
            break
    for term, displacement in zip(model.terms, best, strict=True):
        term.displacement = displacement
    return history
