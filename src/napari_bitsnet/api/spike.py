"""Spike-in: a faint shape that is known, added to one's own images, and what the separation makes of it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.api.choose import make_task
from napari_bitsnet.api.result import Result
from napari_bitsnet.api.run_inputs import planes_of
from napari_bitsnet.api.running import finish, iter_run
from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.core.aliases import takes_former_names
from napari_bitsnet.core.arrays import as_array
from napari_bitsnet.core.outputs import source_names
from napari_bitsnet.tasks import TASKS


@dataclass(frozen=True)
class SpikeIn:
    """What became of a shape.

    Parameters
    ----------
    where : str
        As it was asked for.
    amplitude : float
        Height of the shape in the mixture, in its units (density under attenuation); if only a guide got it, in the
        mixture's units the height that would have been added with it.
    transfer : dict of str to float
        For each output the part of that height that arrived in it: 1 is all, 0 nothing, negative upside down.
    expected : dict of str to float
        What a perfect separation would transfer.
    crosstalk : float
        Largest difference between what arrived in a source and what should have; 0 is perfect.
    elsewhere : float
        Root mean square change of the sources outside the shape, relative to its height: what else the shape disturbed.
    shape : ndarray of shape (Y, X)
        From 0 to 1.
    """

    where: str
    amplitude: float
    transfer: dict[str, float]
    expected: dict[str, float]
    crosstalk: float
    elsewhere: float
    shape: NDArray

    def __str__(self) -> str:
        lines = [f"shape added to {self.where}, height {self.amplitude:.4g}:"]
        for name, value in self.transfer.items():
            lines.append(f"  {name:12} {value:+.2f}   (perfect {self.expected[name]:+.2f})")
        lines.append(f"  elsewhere    {self.elsewhere:.2f}   (perfect  0.00)")
        return "\n".join(lines)


@takes_former_names
def spike_in(
    mixture: Any,
    guides: Sequence[Any],
    where: str = "mixture",
    *,
    strength: float = 0.15,
    centre: tuple[float, float] = (0.5, 0.5),
    extent: float = 0.15,
    mixing: str = "linear",
    flat: str | Path | None = None,
    dark: str | Path | None = None,
    i0: float | None = None,
    stored: Any = None,
    **arguments: Any,
) -> SpikeIn:
    """Add a faint shape to one's own images, separate with and without, and report where it went.

    Parameters
    ----------
    mixture : array of shape (Y, X)
        The superimposed image.
    guides : sequence of array or None
        As in `run`.
    where : str
        ``"mixture"``: only the mixture gets the shape, as a design would that no photograph shows; it should be
        unexplained. ``"guide_1"`` …: only that photograph gets it, as lighter or darker paint that X-rays pass; it should
        appear nowhere. ``"source_1"`` …: photograph and mixture get it, as paint that both see; it should all be in that
        source. The density that goes with the paint is what the fit without the shape gives lighter colours.
    strength : float
        Height of the shape: in the mixture in standard deviations of it, in a guide as a part of its range.
    centre : (float, float)
        (y, x) from 0 to 1 of the image's sides.
    extent : float
        Radius as a part of the shorter side.
    mixing : {"linear", "attenuation"}
        As in `run`; under attenuation the shape is added to the optical density.
    flat, dark : str or Path, optional
        Under attenuation: image files of the beam without an object, and of the detector without a beam.
    i0 : float, optional
        Under attenuation: intensity without an object (I0); None takes the flat frame's mean, or a percentile.
    stored : dtype, optional
        As in `run`.
    **arguments
        As in `run`: ``method``, ``preset``, ``settings``, ``mask``, the task's options.

    Returns
    -------
    SpikeIn

    Raises
    ------
    ValueError
        If `where` names nothing that is there, the mixture is no single grey plane, the shape lies outside it or where the
        photograph shows nothing, or an option is unknown.

    Notes
    -----
    ``transfer = <Δ, s - mean s> / (a <s, s - mean s>)`` with Δ the output with the shape less the output without, s the
    shape, a its height. Under attenuation the image is freed of dark current and the beam's shape first, so that what is
    separated is ``(I - dark) exp(-a s)``; pixels that carry no density stay missing. The rest of the run (registration, colour clusters, weights) is done anew with the shape, so that
    what it disturbs counts.
    """
    planes = planes_of(TASKS.get("xray"), mixture, arguments.pop("axes", None))
    image = planes[0]
    if len(planes) > 1 or image.ndim != 2:
        raise ValueError(
            f"Expected a mixture (Y, X) in grey, got shape {planes.array.shape}: take one slice or channel."
        )
    guides = [None if g is None else as_array(g, f"guide {k + 1}") for k, g in enumerate(guides)]
    shape = ring_and_bar(image.shape, centre, extent)
    number = _number(where, guides)
    attenuating = mixing == "attenuation"
    arguments |= {"mixing": mixing, "maps": False}
    if attenuating:
        dtype = planes.stored if stored is None else np.dtype(stored)
        image, i0 = freed(image, dtype, flat, dark, i0, arguments.pop("percentile", None))
        arguments |= {"i0": i0, "output": "density"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # they are about the run, which is not what is asked for
        before = _separated(image, guides, arguments)
        spread = float(np.nanstd(np.sum(before.sources, axis=0, dtype=np.float64)))
        height, spiked_guides = strength * spread, list(guides)
        if number is not None:
            lightness = room(guides[number], shape) * strength
            spiked_guides[number] = lightened(guides[number], lightness * shape)
            height = lightness * _density_of_lightness(before, guides[number], number)
        spiked = image if where.startswith("guide") else denser(image, height * shape, attenuating)
        after = _separated(spiked, spiked_guides, arguments)
    return _report(where, number, height, shape, before, after)


def _separated(mixture: NDArray, guides: Sequence[Any], arguments: Mapping[str, Any]) -> Result:
    """Run the task on one image with the arguments of `run`, images among them."""
    images = {name: arguments[name] for name in ("hints", "mask", "stop") if name in arguments}
    settings = {name: value for name, value in arguments.items() if name not in images}
    return finish(iter_run(RunSettings.of("xray", **settings), mixture, guides=guides, **images))


def ring_and_bar(size: tuple[int, ...], centre: tuple[float, float], extent: float) -> NDArray:
    """A ring with a bar across, from 0 to 1, with soft edges: a shape that no painting has.

    Raises
    ------
    ValueError
        If it does not lie within the image.
    """
    radius = extent * min(size[:2])
    y = np.arange(size[0])[:, None] - centre[0] * (size[0] - 1)
    x = np.arange(size[1])[None] - centre[1] * (size[1] - 1)
    if radius < 4 or any(
        not radius <= c * (n - 1) <= n - 1 - radius for c, n in zip(centre, size, strict=False)
    ):
        raise ValueError(
            f"Expected a shape of at least 4 px radius within the image, got {radius:.1f} px around {centre}: "
            "move centre, or change extent."
        )
    ring = np.clip(0.25 * radius - np.abs(np.hypot(y, x) - 0.75 * radius) + 0.5, 0, 1)
    bar = np.clip(0.15 * radius - np.abs(x + y) / 2**0.5 + 0.5, 0, 1) * (np.hypot(y, x) < radius)
    return np.maximum(ring, bar)


def seen_colours(guide: NDArray) -> NDArray:
    """A guide's colours (Y, X) or (Y, X, 3), float32, NaN where it has no opacity (a fourth channel of 0)."""
    if guide.ndim == 3 and guide.shape[-1] == 4:
        return np.where(guide[..., 3:] == 0, np.nan, guide[..., :3]).astype(np.float32)
    return guide.astype(np.float32)


def room(guide: NDArray, shape: NDArray) -> int:
    """1 if there is more room for lighter colours than for darker ones where the shape is, else -1.

    Raises
    ------
    ValueError
        If the guide shows nothing where the shape is.
    """
    colours = seen_colours(guide)
    there = colours[shape > 0]
    if not np.isfinite(there).any():
        raise ValueError(
            "Expected a shape where the guide shows something, got one where it does not cover the mixture: move centre."
        )
    middle = (float(np.nanmax(colours)) + float(np.nanmin(colours))) / 2
    return 1 if float(np.nanmean(there)) <= middle else -1


def lightened(guide: NDArray, amount: NDArray) -> NDArray:
    """Return a guide's colours made lighter by a part of their range (Y, X), within that range; NaN stays."""
    colours = seen_colours(guide)
    low, high = float(np.nanmin(colours)), float(np.nanmax(colours))
    change = (high - low) * (amount[..., None] if colours.ndim == 3 else amount)
    return np.clip(colours + change, low, high).astype(np.float32)


def freed(
    image: NDArray,
    stored: np.dtype,
    flat: str | Path | None,
    dark: str | Path | None,
    i0: float | None,
    percentile: float | None,
) -> tuple[NDArray, float]:
    """Return intensities freed of dark current and the beam's shape, NaN where a pixel carries no density, and I0.

    Both runs take these: a percentile of the image with the shape, or saturated pixels that were dimmed by it and so no
    longer known for saturated, would be changes that no shape made.
    """
    from napari_bitsnet.tasks._shares import expose_mixture

    given = {"flat": flat, "dark": dark, "i0": i0, "percentile": percentile}
    options = {name: value for name, value in given.items() if value is not None}
    task = make_task(RunSettings().updated({"task": "xray", "options": options}))
    exposure = expose_mixture(image, task.config, stored)  # type: ignore[arg-type]
    intensity = exposure.intensity
    intensity[exposure.dark | exposure.saturated] = np.nan
    return intensity, exposure.i0


def denser(image: NDArray, density: NDArray, attenuating: bool) -> NDArray:
    """Add to a mixture, or under attenuation to its density; float, so that faint shapes are not rounded away.

    Under attenuation the image is one that was freed of dark current, which nothing weakens; see `freed`.
    """
    image = image.astype(np.float64)
    return image * np.exp(-density) if attenuating else image + density


def _number(where: str, guides: Sequence[NDArray | None]) -> int | None:
    """Index of the source that `where` names, None for the mixture."""
    shown = [k for k, guide in enumerate(guides) if guide is not None]
    known = ["mixture", *(f"{kind}_{k + 1}" for kind in ("guide", "source") for k in shown)]
    if where not in known:
        raise ValueError(f"Expected where to be one of {', '.join(known)}, got {where!r}.")
    return None if where == "mixture" else int(where.rpartition("_")[2]) - 1


def _density_of_lightness(result: Result, guide: NDArray, number: int) -> float:
    """Change of the explained part with the guide's lightness, from dark to light; signed, not nearly zero."""
    explained = result.outputs[f"explained_{number + 1}"].array
    colours = seen_colours(guide)
    light = (colours.mean(axis=-1) if colours.ndim == 3 else colours).astype(np.float64)
    seen = np.isfinite(explained) & np.isfinite(light)
    light = light[seen] - light[seen].mean()
    span = np.nanmax(colours) - np.nanmin(colours)
    slope = float((light * explained[seen]).sum() / (light**2).sum()) * float(span)
    least = float(np.std(explained[seen]))
    return slope if abs(slope) > least else float(np.copysign(least, slope))


def _report(
    where: str, number: int | None, height: float, shape: NDArray, before: Result, after: Result
) -> SpikeIn:
    outputs = before.outputs
    names = [n for n, output in outputs.items() if output.kind in ("source", "part") or n == "unexplained"]
    changes = {n: after.outputs[n].array.astype(np.float64) - outputs[n].array for n in names}
    seen = np.isfinite(changes[names[0]])
    centred = np.where(seen, shape - shape[seen].mean(), 0)
    norm = height * float((centred * shape)[seen].sum())
    transfer = {n: float((centred * np.where(seen, c, 0)).sum()) / norm for n, c in changes.items()}
    outside = seen & (shape == 0)
    sources = source_names(outputs)
    left = [changes[n][outside] - changes[n][outside].mean() for n in sources]
    elsewhere = float(np.sqrt(np.mean(np.square(left)))) / abs(height)
    perfect = dict.fromkeys(names, 0.0)
    if number is not None and where == f"source_{number + 1}":
        perfect |= {n: 1.0 for n in names if outputs[n].of_source == number + 1}
    elif where == "mixture":
        guided = {outputs[n].of_source for n in names if outputs[n].kind == "part"}
        unguided = [n for n in sources if outputs[n].of_source not in guided] or sources
        perfect |= {n: 1.0 / len(unguided) for n in unguided} | {"unexplained": 1.0}
    crosstalk = max(abs(transfer[n] - perfect[n]) for n in sources)
    return SpikeIn(where, height, transfer, perfect, crosstalk, elsewhere, shape)
