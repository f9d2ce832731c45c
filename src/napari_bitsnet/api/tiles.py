"""Separate an image that does not fit into memory: a fit at reduced size, outputs as dask arrays of tiles."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_bitsnet.api.choose import make_method, make_task
from napari_bitsnet.api.large_inputs import LargeInputs, Windows
from napari_bitsnet.api.lazy import LazyOutputs
from napari_bitsnet.api.notices import plane_notices, warn
from napari_bitsnet.api.provenance import record_provenance
from napari_bitsnet.api.run_inputs import RunInputs
from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.api.signatures import spelled_out
from napari_bitsnet.api.slices import solve
from napari_bitsnet.core.device import resolve_device
from napari_bitsnet.core.displacement import Window
from napari_bitsnet.core.large_image import LargeImage, at_window
from napari_bitsnet.core.outputs import Output
from napari_bitsnet.core.problem import Problem
from napari_bitsnet.methods.protocol import BaseMethod, Enlarged
from napari_bitsnet.tasks import Built
from napari_bitsnet.tasks._shares_part import build_part, normalised_part
from napari_bitsnet.tasks._shares_task import SharesTask

REDUCED = 2**21
"""Pixels to which the image is reduced for the fit."""


@spelled_out
def run_in_tiles(
    task: str,
    mixture: Any,
    *,
    guides: Sequence[Any] = (),
    mask: Any = None,
    stored: Any = None,
    tile: int = 2048,
    progress: Callable[[str], object] | None = None,
    **arguments: Any,
) -> LazyOutputs:
    """Separate one image with guides that does not fit into memory, tile by tile.

    Parameters
    ----------
    task : str
        ``"xray"``.
    mixture : array-like of shape (Y, X) or (Y, X, C)
        One image; of a dask or zarr array no more than a few tiles are read at a time.
    guides : sequence of array-like or None
        As in `run`, of the mixture's size.
    mask : array-like of shape (Y, X), optional
        As in `run`.
    stored : dtype, optional
        As in `run`.
    tile : int
        Side of the tiles, in pixels; a multiple of 512 suits OME-Zarr.
    progress : callable, optional
        Called with a few words before each stage of the fit at reduced size; an error that it raises ends
        the fit.
    **arguments
        As in `run`.

    Returns
    -------
    LazyOutputs
        A dict of str to dask array, one chunk a tile; `LazyOutputs.to_zarr` writes them. Its ``provenance``
        and ``warnings`` are those of the fit.

    Raises
    ------
    ImportError
        If dask is missing.
    TypeError, ValueError
        If the images or a setting are not valid, the method cannot work in tiles (those with guides can), or
        a setting needs the whole image at once (``support``, ``flat``, ``dark``).

    Warns
    -----
    UserWarning
        The notices of the fit.

    Notes
    -----
    The image is reduced to two megapixels, as it is read, and separated there at once. Guides are then
    registered at full size, in evenly spaced squares. A tile has its sources by the colours of the guides
    around each pixel and by the answer at reduced size, both of which know nothing of tiles, so that there
    are no seams. Maps are those at reduced size, interpolated. Cracks are not looked for. Under attenuation
    I0 is that of the image at reduced size.
    """
    try:
        import dask
        import dask.array
    except ImportError as error:
        raise ImportError("Expected Dask, found none: pip install 'napari-bitsnet[zarr]'.") from error

    if tile < 64:
        raise ValueError(f"Expected tiles of at least 64 pixels, got {tile}.")
    settings = RunSettings.of(task, **arguments)
    made: Any = make_task(settings)
    of_shares = isinstance(made, SharesTask)
    device = resolve_device(settings.device)
    if not of_shares:
        raise ValueError(
            f"Expected a task whose sources are shares of one image, such as xray, got {task!r}."
        )
    for name in ("support", "flat", "dark"):
        if getattr(made.config, name, None):
            raise ValueError(f"Expected no {name}= with tiles, which needs the whole image: leave it out.")
    traits = made.traits(n_observations=1, n_guides=sum(g is not None for g in guides), has_hints=False)
    method = make_method(settings, made, traits)
    if type(method).enlarged is BaseMethod.enlarged:
        raise _cannot_work_in_tiles(method)
    if "cracks" in method.Config.model_fields:  # left out, as in all images above 16 megapixels
        settings = settings.updated({"settings": {**settings.settings, "cracks": False}})
    images = RunInputs(made, mixture, guides=guides, mask=mask, axes=settings.axes, stored=stored)
    inputs = _large_inputs(images)
    factor = max(1, math.ceil(math.sqrt(math.prod(inputs.size) / REDUCED)))
    tell = progress or (lambda stage: None)
    tell("reading the image at reduced size")
    small, *small_guides = inputs.reduced(factor, tile)
    assert small is not None
    reduced = RunInputs(made, small, guides=small_guides, stored=images.stored)
    session = solve(settings.updated({"axes": None}), made, reduced[0], device, None, tell)
    known = session.finished()
    told = plane_notices(session, known)
    provenance = record_provenance(settings, session, session.seconds, told, device) | {"reduced_by": factor}

    ranges = [None if g is None else _range_of(g) for g in small_guides]
    whole = _whole_problem(inputs, session.built, ranges, made, images.stored)
    enlarged = session.method.enlarged(session.state, whole, factor)
    if enlarged is None:
        raise _cannot_work_in_tiles(session.method)
    plain = type(made)(made.config.updated({"maps": False} if hasattr(made.config, "maps") else {}))
    maps = {name: output for name, output in known.items() if output.kind == "map"}
    work = _Tiles(inputs, enlarged, _small_built(session.built), plain, images.stored, maps, factor)
    node = dask.delayed(work, pure=False, traverse=False)
    tiles = inputs.tiles(tile)
    found = [[dask.delayed(_tile, pure=False)(node, window) for window in row] for row in tiles]
    outputs = {
        name: images.planes.assemble([replace(output, array=_blocks(found, tiles, name, output))])
        for name, output in known.items()
    }
    warn(told, stacklevel=2)
    return LazyOutputs(outputs, provenance, tuple(map(str, told)))


@dataclass(frozen=True)
class _Tiles:
    """What all tiles share; one node of the graph.

    Parameters
    ----------
    inputs, enlarged, built, task, stored
        The images; their answer; problem and `SharesTask` at reduced size; type of the mixture's file.
    maps : dict of str to Output
        At reduced size.
    factor : int
        Full size over reduced size.
    """

    inputs: LargeInputs
    enlarged: Enlarged
    built: Built
    task: Any
    stored: np.dtype
    maps: dict[str, Output]
    factor: int


@torch.no_grad()
def _tile(work: _Tiles, window: Window) -> dict[str, NDArray]:
    """Return the outputs of a tile."""
    part, missing = work.inputs.mixture(window), work.inputs.missing(window)
    if missing.all():  # nothing to expose or to normalise
        part = np.full(part.shape, np.nan, np.float32)
    built = build_part(work.built, part, missing, work.task.config, work.stored)
    answer = work.enlarged(built.problem.observations, window)
    found = {name: output.array for name, output in work.task.outputs(built, answer).items()}
    for name, output in work.maps.items():
        image = np.moveaxis(output.array, -1, 0) if output.array.ndim == 3 else output.array[None]
        large = at_window(torch.from_numpy(np.ascontiguousarray(image)), window, work.factor).numpy()
        found[name] = large[0] if output.array.ndim == 2 else np.moveaxis(large, 0, -1)
    return found


def _blocks(found: list[list[Any]], tiles: list[list[Window]], name: str, output: Output) -> Any:
    """Return the dask array (Y, X[, C]) of one output."""
    import dask.array

    more = output.shape[2:]
    return dask.array.concatenate(
        [
            dask.array.concatenate(
                [
                    dask.array.from_delayed(node[name], (window.height, window.width, *more), output.dtype)
                    for node, window in zip(nodes, windows, strict=True)
                ],
                axis=1,
            )
            for nodes, windows in zip(found, tiles, strict=True)
        ]
    )


def _large_inputs(images: RunInputs) -> LargeInputs:
    planes, *guides, hints, mask = images.fields
    assert planes is not None
    if len(planes) != 1 or hints is not None:
        raise ValueError(
            f"Expected one image, got a stack {tuple(planes.array.shape)}: run_lazily separates its slices."
        )
    size = _size_of(planes)
    for number, other in [*((f"guide {k + 1}", g) for k, g in enumerate(guides)), ("the mask", mask)]:
        if other is not None and _size_of(other) != size:
            raise ValueError(
                f"Expected {number} of {size} pixels (Y, X) as the mixture, got {_size_of(other)}: bring it "
                "onto the mixture first (napari-bitsnet register)."
            )
    windows = [None if field is None else Windows.of(field) for field in (*guides, mask)]
    return LargeInputs(Windows.of(planes), tuple(windows[:-1]), windows[-1], size)


def _size_of(planes: Any) -> tuple[int, int]:
    height, width = (int(planes.array.shape[planes.axes.index(a)]) for a in "YX")
    return height, width


def _cannot_work_in_tiles(method: Any) -> ValueError:
    return ValueError(
        f"Expected a method that works in tiles, got {method.title}: give guides, and the method "
        "guided_network or guided_regression."
    )


def _range_of(guide: NDArray) -> tuple[float, float]:
    """Return the values that became 0 and 1 when the guide at reduced size was normalised."""
    planes = guide[..., None] if guide.ndim == 2 else guide
    seen = planes[np.isfinite(planes).all(axis=-1)]
    return float(seen.min()), float(seen.max())


def _whole_problem(
    inputs: LargeInputs,
    built: Built,
    ranges: Sequence[tuple[float, float] | None],
    task: SharesTask,
    stored: np.dtype,
) -> Problem:
    """Return the problem at full size, of which windows are read."""
    problem, size = built.problem, inputs.size
    small = _small_built(built)

    def seen(window: Window) -> Built:
        return build_part(small, inputs.mixture(window), inputs.missing(window), task.config, stored)

    channels = problem.observations.shape[1]
    images: list[Any] = []
    for windows, ends, guide in zip(inputs.guides, ranges, problem.guides, strict=False):
        if windows is None or ends is None or guide is None:
            images.append(None)
            continue
        limits = guide.amin(dim=(0, 2, 3)), guide.amax(dim=(0, 2, 3))
        images.append(LargeImage(partial(_guide, windows, *ends), (1, guide.shape[1], *size), limits))
    images += [None] * (len(problem.guides) - len(images))
    observations: Any = LargeImage(lambda w: seen(w).problem.observations, (1, channels, *size))
    valid: Any = LargeImage(lambda w: seen(w).problem.valid, (1, 1, *size))  # type: ignore[arg-type, return-value]
    return replace(problem, observations=observations, guides=tuple(images), valid=valid, hints=None)


def _guide(windows: Windows, low: float, high: float, window: Window) -> torch.Tensor:
    """Return a window of a guide, (1, C, h, w) in [0, 1]."""
    pixels, _ = normalised_part(windows(window), None, low, high - low)
    return pixels.clamp_(0, 1)


def _small_built(built: Built) -> Built:
    """Return the scales of a problem without its images."""
    blank = torch.zeros(1, built.problem.observations.shape[1], 1, 1)
    guides = tuple(None if guide is None else blank[:, :1] for guide in built.problem.guides)
    problem = replace(built.problem, observations=blank, guides=guides, hints=None, valid=None)
    return replace(built, problem=problem, observed=np.zeros((1, 1)), notices=())
