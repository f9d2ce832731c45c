"""Simulated panels with their guided fits, from which `guided_correction` learns the errors of the fit."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from napari_bitsnet.core.displacement import Window
from napari_bitsnet.core.images import normalise
from napari_bitsnet.core.problem import Problem
from napari_bitsnet.data.datasets import unreserved_photographs
from napari_bitsnet.data.panel import Panel, Recipe, simulate_panel
from napari_bitsnet.io.read import read_image
from napari_bitsnet.methods.guided.guided_regression import GuidedRegression, GuidedRegressionConfig

FIRST = 2_000_000
"""Seed of the first panel, far from those of benchmarks and tests."""


def solve_panels(
    folder: str | Path,
    *,
    photographs: str | Path | None = None,
    minutes: float = 30.0,
    count: int | None = None,
    first: int = 0,
    size: int = 256,
) -> Iterator[Path]:
    """Simulate panels, fit each with two guides and with one, and write a file for each fit; existing files are kept.

    Parameters
    ----------
    folder : str or Path
        Folder of the files; made if absent. Several processes may share it, each with its own `first`.
    photographs : str or Path, optional
        Folder of photographs (``*.jpg``) that two of five panels show; those that are reserved for scores are left out.
    minutes : float
        Time after which no further panel is begun, unless `count` is given.
    count : int, optional
        Number of panels.
    first : int
        Number of the first panel; its seed is `FIRST` plus this.
    size : int
        Side of the panels in pixels.

    Yields
    ------
    Path
        Each file, once it is there.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = unreserved_photographs(photographs)
    start, n = time.monotonic(), first
    while n - first < count if count is not None else time.monotonic() - start < 60 * minutes:
        panel = draw_panel(FIRST + n, size, paths)
        for sides in ((0, 1), (n % 2,)):
            out = folder / f"{n:05d}_{len(sides)}.npz"
            if not out.exists():
                part = out.with_suffix(".part")
                with part.open("wb") as file:
                    np.savez(file, **solved(panel, sides))  # type: ignore[arg-type]
                part.rename(out)
            yield out
        n += 1


def photograph(paths: list[Path], rng: Generator) -> NDArray:
    """Read one of the photographs, (Y, X, 3) in [0, 1]."""
    image = np.atleast_3d(read_image(paths[int(rng.integers(len(paths)))]).channels_last)[..., :3]
    return np.broadcast_to(image, (*image.shape[:2], 3)) / 255


def draw_panel(seed: int, size: int, paths: list[Path]) -> Panel:
    """Draw a panel by the usual recipe or, half of the time, by another one; two of five show photographs."""
    rng = np.random.default_rng(seed)
    usual = rng.uniform() < 0.5
    recipe = Recipe(
        relief=rng.uniform(0.3, 1.0),
        design=rng.uniform(0.2, 1.2),
        cracks=rng.uniform(0.0, 2.5),
        support=rng.uniform(0.0, 0.3),
        visible_cracks=rng.uniform(0.0, 0.3),
        pigments=int(rng.integers(8, 21)),
        pigment_width=rng.uniform(0.03, 0.1),
        drift_length=rng.uniform(0.1, 0.4),
    )
    other: dict[str, Any] = {
        "unexplained": rng.uniform(0.2, 0.7),
        "drift": rng.uniform(0.0, 0.2),
        "kind": "rigid" if rng.uniform() < 0.3 else "smooth",
        "noise": rng.uniform(0.0, 0.03) if rng.uniform() < 0.4 else 0.0,
        "recipe": recipe,
    }
    pictures = [photograph(paths, rng) for _ in range(2)] if paths and rng.uniform() < 0.4 else None
    misregistration = 0.0 if rng.uniform() < 0.35 else rng.uniform(0.5, 2.0)
    return simulate_panel(seed, size, pictures, misregistration=misregistration, **({} if usual else other))


def solved(panel: Panel, sides: tuple[int, ...]) -> dict[str, NDArray]:
    """Fit the panel with guides of these sides, the first as source 1; return the fit and the truth on the [0, 1] scale."""
    seen = normalise(panel.mixture)
    order = [*sides, *(side for side in (0, 1) if side not in sides)]
    guides = tuple(normalise(panel.guides[k]).tensor if k in sides else None for k in order)
    method = GuidedRegression(GuidedRegressionConfig().updated({"trust": False, "correct": False}))
    state = method.start(Problem(seen.tensor, 2, guides=guides), device="cpu", seed=0)
    for _ in method.advance(state):
        pass
    answer, model = method.answer(state), state.model
    assert model is not None
    whole = Window(0, 0, *model.modes.size)
    span = seen.scaling.span
    arrays = {
        "mixture": seen.tensor[0],
        "explained": answer["explained"][:, 0],
        "sources": answer["sources"][:, 0],
        "colours": torch.stack([model.aligned(term, whole) for term in model.terms]),
        "cracks": torch.stack([model.cracks(term, whole) for term in model.terms]),
        "true_explained": torch.from_numpy(panel.explained[order] / span),
        "true_sources": torch.from_numpy(panel.truths[order] / span),
    }
    return {name: tensor.numpy().astype(np.float16) for name, tensor in arrays.items()}
