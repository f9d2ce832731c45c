"""Simulated panels and their closed forms, to train the network that corrects guided separation with.

``python docs/scripts/correction_bank.py BANK --photos DIR --minutes 30``; run it once a core, with another ``--first`` each.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from napari_bitsnet.benchmark.folder import reserved_photographs
from napari_bitsnet.core.displacement import Window
from napari_bitsnet.core.images import normalise
from napari_bitsnet.core.problem import Problem
from napari_bitsnet.data.panel import Panel, Recipe, simulate_panel
from napari_bitsnet.data.reading import read_image
from napari_bitsnet.methods.regression import Regression

FIRST = 2_000_000
"""Far from the seeds of benchmarks and tests."""


def photograph(paths: list[Path], rng: Generator) -> NDArray:
    """One of the photographs, (Y, X, 3) in [0, 1]."""
    image = np.atleast_3d(read_image(paths[int(rng.integers(len(paths)))]).channels_last)[..., :3]
    return np.broadcast_to(image, (*image.shape[:2], 3)) / 255


def draw_panel(seed: int, size: int, paths: list[Path]) -> Panel:
    """A panel as the benchmark draws it, or (half of them) one made by another recipe; two of five show photographs."""
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
    other = {
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
    """The closed form with guides of these sides, the first of them as source 1, and the truth: all on the [0, 1] scale."""
    seen = normalise(panel.mixture)
    order = [*sides, *(side for side in (0, 1) if side not in sides)]
    guides = tuple(normalise(panel.guides[k]).tensor if k in sides else None for k in order)
    method = Regression(Regression.presets["balanced"].updated({"trust": False, "correct": False}))
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


def main() -> None:
    """Simulate and solve until the time is over: each panel with both guides, and with one of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bank", type=Path, help="Folder for the panels.")
    parser.add_argument("--photos", type=Path, help="Folder of photographs; reserved ones are left out.")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--size", type=int, default=256, help="Side of the panels in pixels.")
    parser.add_argument("--first", type=int, default=0, help="Number of the first panel.")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.bank.mkdir(parents=True, exist_ok=True)
    reserved = set(reserved_photographs(arguments.photos)) if arguments.photos else set()
    found = sorted(arguments.photos.glob("*.jpg")) if arguments.photos else []
    paths = [path for path in found if path not in reserved]
    start, n = time.monotonic(), arguments.first
    while time.monotonic() - start < 60 * arguments.minutes:
        panel = draw_panel(FIRST + n, arguments.size, paths)
        for sides in ((0, 1), (n % 2,)):
            out = arguments.bank / f"{n:05d}_{len(sides)}.npz"
            if not out.exists():
                part = out.with_suffix(".part")
                with part.open("wb") as file:
                    np.savez(file, **solved(panel, sides))
                part.rename(out)
        n += 1


if __name__ == "__main__":
    main()
