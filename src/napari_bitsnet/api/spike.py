"""Spike-in: add a faint known shape to the user's images and measure how the separation recovers it."""

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
    """Recovery of a shape.

    Parameters
    ----------
    where : str
        Place of the shape, as requested.
    amplitude : float
        Height of the shape in the mixture, in its units (density under attenuation). If only a guide has the
        shape, the height that would have been added to the mixture with it.
    transfer : dict of str to float
        Fraction of that height in each output: 1 is all, 0 nothing, negative inverted.
    expected : dict of str to float
        Fractions of a perfect separation.
    crosstalk : float
        Largest difference between the transfer to a source and the expected one; 0 is perfect.
    elsewhere : float
        Root mean square change of the sources outside the shape, relative to its height.
    shape : ndarray of shape (Y, X)
        Shape, from 0 to 1.
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
    """Add a faint shape to the user's images, separate them with and without it, and measure the transfer to
    each output.

    Parameters
    ----------
    mixture : array of shape (Y, X)
        The superimposed image.
    guides : sequence of array or None
        As in `run`.
    where : str
        ``"mixture"``: only the mixture has the shape, like a design that no photograph shows; it should be
        unexplained. ``"guide_1"`` …: only that photograph has it, like lighter or darker paint that X-rays
        pass; it should appear nowhere. ``"source_1"`` …: photograph and mixture have it, like paint that both
        show; it should be in that source alone. Its density is that of lighter colours in the fit without the
        shape.
    strength : float
        Height of the shape: in standard deviations of the mixture, or as a fraction of the range of a guide.
    centre : (float, float)
        (y, x) as fractions of the height and width, 0 to 1.
    extent : float
        Radius as a fraction of the shorter side.
    mixing : {"linear", "attenuation"}
        As in `run`; under attenuation the shape is added to the optical density.
    flat, dark : str or Path, optional
        Under attenuation: image files of the beam without an object, and of the detector without a beam.
    i0 : float, optional
        Under attenuation: intensity without an object (I0); None takes the flat frame's mean, or a
        percentile.
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
        If `where` is unknown, the mixture is not a single grey plane, the shape lies outside it or where the
        photograph shows nothing, or an option is unknown.

    Notes
    -----
    ``transfer = <Δ, s - mean s> / (a <s, s - mean s>)`` with Δ the output with the shape less the output
    without, s the shape, a its height. Under attenuation the image is freed of dark current and the beam's
    shape first, so that what is separated is ``(I - dark) exp(-a s)``; pixels that carry no density stay
    missing. The rest of the run (registration, colour clusters, weights) is done anew with the shape, so that
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
    """Run the task on one image with the arguments of `run`, including images."""
    images = {name: arguments[name] for name in ("hints", "mask", "stop") if name in arguments}
    settings = {name: value for name, value in arguments.items() if name not in images}
    return finish(iter_run(RunSettings.of("xray", **settings), mixture, guides=guides, **images))


def ring_and_bar(size: tuple[int, ...], centre: tuple[float, float], extent: float) -> NDArray:
    """Return a ring with a bar across it, from 0 to 1, with soft edges.

    Raises
    ------
    ValueError
        If the shape does not lie within the image.
    """
    radius = extent * min(size[:2])
    y = np.arange(size[0])[:, None] - centre[0] * (size[0] - 1)
    x = np.arange(size[1])[None] - centre[1] * (size[1] - 1)
    if radius < 4 or any(
        not radius <= c * (n - 1) <= n - 1 - radius for c, n in zip(centre, size, strict=False)
    ):
        raise ValueError(
            f"Expected a shape of at least 4 px radius within the image, got {radius:.1f} px around "
            f"{centre}: move centre, or change extent."
        )
    ring = np.clip(0.25 * radius - np.abs(np.hypot(y, x) - 0.75 * radius) + 0.5, 0, 1)
    bar = np.clip(0.15 * radius - np.abs(x + y) / 2**0.5 + 0.5, 0, 1) * (np.hypot(y, x) < radius)
    return np.maximum(ring, bar)


def seen_colours(guide: NDArray) -> NDArray:
    """Return the colours of a guide, (Y, X) or (Y, X, 3), float32, NaN for zero opacity (fourth channel)."""
    if guide.ndim == 3 and guide.shape[-1] == 4:
        return np.where(guide[..., 3:] == 0, np.nan, guide[..., :3]).astype(np.float32)
    return guide.astype(np.float32)


def room(guide: NDArray, shape: NDArray) -> int:
    """Return 1 if the colours at the shape can become lighter by more than darker, else -1.

    Raises
    ------
    ValueError
        If the guide shows nothing at the shape.
    """
    colours = seen_colours(guide)
    there = colours[shape > 0]
    if not np.isfinite(there).any():
        raise ValueError(
            "Expected a shape where the guide shows something, got one where it does not cover the mixture: "
            "move centre."
        )
    middle = (float(np.nanmax(colours)) + float(np.nanmin(colours))) / 2
    return 1 if float(np.nanmean(there)) <= middle else -1


def lightened(guide: NDArray, amount: NDArray) -> NDArray:
    """Return the colours of a guide, lightened by a fraction (Y, X) of their range within that range; NaN
    stays."""
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
    """Return intensities corrected by dark and flat frame, NaN for pixels without a density, and I0.

    Both runs use them. Otherwise a percentile of the image with the shape, or saturated pixels that the shape
    has dimmed, would cause changes that do not come from the shape.
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
    """Add a shape to a mixture, or to its density under attenuation; float, so that faint shapes are not
    rounded away.

    Under attenuation the image is corrected for dark current, which no object attenuates; see `freed`.
    """
    image = image.astype(np.float64)
    return image * np.exp(-density) if attenuating else image + density


def _number(where: str, guides: Sequence[NDArray | None]) -> int | None:
    """Return the index of the source in `where`, None for the mixture."""
    shown = [k for k, guide in enumerate(guides) if guide is not None]
    known = ["mixture", *(f"{kind}_{k + 1}" for kind in ("guide", "source") for k in shown)]
    if where not in known:
        raise ValueError(f"Expected where to be one of {', '.join(known)}, got {where!r}.")
    return None if where == "mixture" else int(where.rpartition("_")[2]) - 1


def _density_of_lightness(result: Result, guide: NDArray, number: int) -> float:
    """Return the change of the explained part from dark to light colours of the guide; signed, and not near
    0."""
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
