"""Simulate X-radiographs of panels that are painted on both sides, with colour photographs as guides.

The attenuation of each side has two parts. The first is a function of its colours: each pigment has a density
that drifts over the panel. The second is invisible in photographs: brushwork, an abandoned design under the
paint, cracks and the support. Guides can only explain the first part, and they are misregistered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.data.brushwork import paint
from napari_bitsnet.data.fields import displace, displacement
from napari_bitsnet.data.paintings import SCENES, painting
from napari_bitsnet.data.photographs import fit
from napari_bitsnet.data.xray_layers import abandoned_design, cracks, draw_pigments, support


@dataclass(frozen=True)
class Recipe:
    """Composition of a simulated panel; the defaults are those of the benchmark.

    Parameters
    ----------
    relief, design, cracks : float
        Relative strengths of brushwork, abandoned design and cracks in the part that no photograph shows.
    support : float
        Standard deviation of a side's half of the support, relative to its colour-explained part.
    visible_cracks : float
        Fraction of the light that a crack removes from the photograph.
    pigments : int
        Number of colours with a density of their own.
    pigment_width : float
        Width of the borders between these colours, on the [0, 1] scale.
    drift_length : float
        Correlation length of the drift of densities, as a fraction of the shorter side.
    """

    relief: float = 0.6
    design: float = 0.7
    cracks: float = 1.5
    support: float = 0.12
    visible_cracks: float = 0.15
    pigments: int = 14
    pigment_width: float = 0.06
    drift_length: float = 1 / 6


@dataclass(frozen=True)
class Panel:
    """Simulated panel with its guides and true sources.

    Parameters
    ----------
    mixture : ndarray of shape (Y, X)
        The X-radiograph: uint8, uint16 or float32. It is a density, or with attenuation an intensity.
    guides : list of two ndarrays of shape (Y, X, 3)
        Photographs of the two sides, uint8, misregistered with the X-radiograph.
    truths : ndarray of shape (2, Y, X)
        Contribution of each side, float32. Without noise and rounding they add up to `mixture`, or with
        attenuation to ``-log(mixture / i0)``.
    explained : ndarray of shape (2, Y, X)
        The part of each truth that is a function of the painting's true colours and of place.
    displacements : ndarray of shape (2, 2, Y, X)
        For each guide (dy, dx) in pixels: ``guide(y, x) = painting(y + dy, x + dx)``.
    i0 : float or None
        With attenuation the intensity without an object, in the mixture's grey levels; else None.
    parts : dict of ndarrays of shape (2, Y, X)
        The other parts of each truth, up to a constant: ``"relief"``, ``"design"``, ``"cracks"``,
        ``"support"``.
    """

    mixture: NDArray
    guides: list[NDArray]
    truths: NDArray
    explained: NDArray
    displacements: NDArray
    i0: float | None = None
    parts: dict[str, NDArray] = field(default_factory=dict)

    def ceiling(self, n_guides: int = 2) -> NDArray:
        """Return the sources (2, Y, X) from exact knowledge of the colour-explained part.

        The part that no guide explains is halved with two guides. With one guide, of the first side, it goes
        to the second side.
        """
        total = self.truths.sum(axis=0)
        if n_guides == 1:
            return np.stack([self.explained[0], total - self.explained[0]])
        return self.explained + (total - self.explained.sum(axis=0)) / 2


def simulate_panel(
    seed: int,
    size: int | tuple[int, int] = 256,
    paintings: Sequence[NDArray] | None = None,
    *,
    misregistration: float = 1.5,
    kind: str = "smooth",
    unexplained: float = 0.42,
    drift: float = 0.1,
    noise: float = 0.0,
    bits: int = 16,
    attenuation: bool = False,
    recipe: Recipe | None = None,
) -> Panel:
    """Simulate the X-radiograph of a panel painted on both sides.

    Parameters
    ----------
    seed : int
        The same seed and settings give the same panel.
    size : int or (Y, X)
        Pixels, at least 32; given paintings are resized to it.
    paintings : two arrays of shape (Y, X, 3), optional
        Photographs of the two sides, uint8 or in [0, 1]; None paints two of different kinds.
    misregistration : float
        Root mean square displacement of each photograph, pixels.
    kind : {"smooth", "rigid"}
        Kind of misregistration; see `fields.displacement`.
    unexplained : float
        Standard deviation of a side's part that no photograph shows, relative to its colour-explained part.
        At 0.42, exact knowledge of the colour-explained part gains about 8 dB.
    drift : float
        Relative standard deviation of each pigment's density over the panel.
    noise : float
        Standard deviation of Gaussian noise on the mixture, relative to its range.
    bits : {16, 8, 0}
        Depth of the mixture; 0 leaves float32 on [0, 1].
    attenuation : bool
        True makes the mixture a transmitted intensity, False a density.
    recipe : Recipe, optional
        Composition of the panel.

    Returns
    -------
    Panel

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Examples
    --------
    >>> panel = simulate_panel(0, 64)
    >>> panel.mixture.dtype, panel.guides[0].shape, panel.truths.shape
    (dtype('uint16'), (64, 64, 3), (2, 64, 64))
    """
    shape = (size, size) if isinstance(size, int) else size
    if min(shape) < 32:
        raise ValueError(f"Expected a panel of at least 32 x 32 pixels, got {shape[0]} x {shape[1]}.")
    if bits not in (0, 8, 16):
        raise ValueError(f"Expected 16 or 8 bits, or 0 for float32, got {bits}.")
    if paintings is not None and [np.shape(p)[2:] for p in paintings] != [(3,), (3,)]:
        got = ", ".join(str(np.shape(p)) for p in paintings)
        raise ValueError(f"Expected two paintings of shape (Y, X, 3), got {got or 'none'}.")

    rng = np.random.default_rng(seed)
    recipe = recipe or Recipe()
    half_support = recipe.support * support(rng, shape)
    kinds = rng.permutation(list(SCENES))
    guides, truths, explained, moves = [], [], [], []
    parts: dict[str, list[NDArray]] = {"relief": [], "design": [], "cracks": [], "support": []}
    for side in range(2):
        if paintings is None:
            image, relief = painting(rng, shape, str(kinds[side]))
        else:
            image = fit(np.asarray(paintings[side]), shape)
            relief = paint(rng, image)[1]
        colours = draw_pigments(
            rng,
            image,
            drift,
            pigments=recipe.pigments,
            width=recipe.pigment_width,
            length=recipe.drift_length,
        ).density
        colours = (colours - colours.mean()) / colours.std()
        fissures = cracks(rng, shape)
        thickness = relief * np.clip(0.7 + 0.3 * colours, 0.2, None)  # heavy pigments show more relief
        brushwork = recipe.relief * thickness / thickness.std()
        below = recipe.design * abandoned_design(rng, shape)
        rest = brushwork + below - recipe.cracks * fissures
        amount = unexplained / rest.std()
        rest = amount * (rest - rest.mean())
        strength = rng.uniform(0.85, 1.15)
        explained.append(strength * colours)
        truths.append(strength * (colours + rest) + half_support)
        hidden = (brushwork, below, -recipe.cracks * fissures)
        for name, part in zip(parts, hidden, strict=False):
            parts[name].append(strength * amount * part)
        parts["support"].append(half_support)
        move = displacement(rng, shape, misregistration, kind=kind)
        photograph = displace(image * (1 - recipe.visible_cracks * fissures[..., None]), *move)
        guides.append(np.round(255 * np.clip(photograph, 0, 1)).astype(np.uint8))
        moves.append(move)
    hidden_parts = {name: np.array(part) for name, part in parts.items()}
    painted = Panel(
        np.empty(0), guides, np.array(truths), np.array(explained), np.array(moves), None, hidden_parts
    )
    return _expose(rng, painted, noise, bits, attenuation)


def _expose(rng: np.random.Generator, panel: Panel, noise: float, bits: int, attenuation: bool) -> Panel:
    """Simulate the X-radiograph: scale densities to the range, add noise, round to grey levels."""
    lowest = panel.truths.min(axis=(1, 2), keepdims=True)
    truths, explained = panel.truths - lowest, panel.explained - lowest
    full = float(2**bits - 1) if bits else 1.0
    top = 2.5 if attenuation else 0.95 * full
    scale = top / truths.sum(axis=0).max()
    truths, explained = scale * truths, scale * explained
    parts = {name: (scale * part).astype(np.float32) for name, part in panel.parts.items()}
    i0 = 0.9 * full if attenuation else None
    density = truths.sum(axis=0)
    mixture = density if i0 is None else i0 * np.exp(-density)
    if noise > 0:
        mixture = mixture + noise * np.ptp(mixture) * rng.standard_normal(mixture.shape)
    if bits:
        mixture = np.clip(np.round(mixture), 0, full).astype(np.uint8 if bits == 8 else np.uint16)
    else:
        mixture = mixture.astype(np.float32)
    shares = {"truths": truths.astype(np.float32), "explained": explained.astype(np.float32)}
    return replace(panel, mixture=mixture, i0=i0, parts=parts, **shares)
