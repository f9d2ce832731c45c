"""Simulated panels with their guided fits, from which the network of corrections learns the errors of the
fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_bitsnet.core.displacement import Window
from napari_bitsnet.core.images import normalise
from napari_bitsnet.core.problem import Problem
from napari_bitsnet.core.writing import atomically
from napari_bitsnet.data.datasets import PackedImages
from napari_bitsnet.data.panel import Panel, Recipe, simulate_panel
from napari_bitsnet.methods.guided.guided_regression import GuidedRegression, GuidedRegressionConfig

FIRST = 2_000_000
"""Seed of the first panel, far from the seeds of benchmarks and tests."""


def solve_panels(
    folder: Path, photographs: Sequence[PackedImages] = (), *, count: int, size: int = 256, seed: int = 0
) -> Iterator[Path]:
    """Simulate panels, fit each with two guides and with one, and write a file for each fit; existing files
    are kept.

    Parameters
    ----------
    folder : Path
        Folder of the files, which is created if it is missing.
    photographs : sequence of PackedImages
        Photographs, if there are any, which two of five panels show.
    count : int
        Number of panels.
    size : int
        Side of the panels in pixels.
    seed : int
        Seed of the first panel, over `FIRST`; each other one has the next seed.

    Yields
    ------
    Path
        Path of each file after it is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for n in range(seed, seed + count):
        panel = None
        for n_guides in (2, 1):
            out = folder / f"{size}_{n:05d}_{n_guides}.npz"
            if not out.exists():
                panel = draw_panel(FIRST + n, size, photographs) if panel is None else panel
                with atomically(out) as part, part.open("wb") as file:
                    arrays = solved(panel, (0, 1) if n_guides == 2 else (n % 2,))
                    np.savez(file, **arrays)  # type: ignore[arg-type]
            yield out


def draw_panel(seed: int, size: int, photographs: Sequence[PackedImages]) -> Panel:
    """Draw a panel with the default parameters or, in half of the cases, with others; two of five show
    photographs."""
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
    pictures = None
    if photographs and rng.uniform() < 0.4:
        of_folder = photographs[int(rng.integers(len(photographs)))]
        pictures = [of_folder[int(k)] for k in rng.integers(len(of_folder), size=2)]
    misregistration = 0.0 if rng.uniform() < 0.35 else rng.uniform(0.5, 2.0)
    return simulate_panel(seed, size, pictures, misregistration=misregistration, **({} if usual else other))


def solved(panel: Panel, sides: tuple[int, ...]) -> dict[str, NDArray]:
    """Fit a panel with guides of the given sides (the first is source 1); return the fit and the truth on the
    [0, 1] scale."""
    seen = normalise(panel.mixture)
    order = [*sides, *(side for side in (0, 1) if side not in sides)]
    guides = tuple(normalise(panel.guides[k]).tensor if k in sides else None for k in order)
    method = GuidedRegression(GuidedRegressionConfig().updated({"uncertainty": False, "correct": False}))
    state = method.start(Problem(seen.tensor, 2, guides=guides), device="cpu", seed=0)
    for _ in method.advance(state):
        pass
    answer, model = method.solution(state), state.model
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
