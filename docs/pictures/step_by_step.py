"""Pictures and numbers of the page "BITS-Net, step by step": ablation, curves and feature maps on one image.

Run from the repository: ``python -m docs.pictures.step_by_step RUNS``; 20 minutes of one core. RUNS is a
folder for the runs; those that are in it are not repeated.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray
from skimage.io import imsave

import napari_bitsnet as nb
from napari_bitsnet.core.metrics import empty_answers, score
from napari_bitsnet.data.contact_sheet import contact_sheet, to_display
from napari_bitsnet.data.photographs import bundled_photograph

IMAGES = Path(__file__).parents[1] / "images"
NAMES, SIDE = ("astronaut", "coffee"), 64
STEPS, EVERY, SEEDS = 2000, 100, (0, 1, 2)
PUBLISHED = {"denoise_every": 10, "keep": "average", "features": True}
"""What all runs change in the preset ``paper``."""
VARIANTS: dict[str, dict[str, Any]] = {
    "BITS-Net": {},
    "without feature separation": {"alpha_features": 0},
    "without RED": {"lam": 0},
    "Double-DIP": {"alpha_features": 0, "lam": 0},
}
COLOURS = dict(zip(VARIANTS, ("#d55e00", "#0072b2", "#009e73", "#cc79a7"), strict=True))


def main() -> None:
    """Run what is missing, draw, and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path)
    folder = parser.parse_args().runs
    folder.mkdir(parents=True, exist_ok=True)
    truths = np.stack([bundled_photograph(name, SIDE) for name in NAMES]) / 2
    runs = {name: [run(folder, truths, name, seed) for seed in SEEDS] for name in VARIANTS}
    empty = max(gain(truths, each) for each in empty_answers(truths.sum(axis=0)))
    rows = table(truths, runs, empty)
    with (IMAGES / "step-by-step.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    draw_ablation(truths, runs)
    draw_curves(runs, empty)
    draw_features(truths, runs)


def run(folder: Path, truths: NDArray, name: str, seed: int) -> dict[str, NDArray]:
    """Return the curve, the sources and the feature maps of one run, computed or read."""
    path = folder / f"{name.replace(' ', '-')}-{seed}.npz"
    if not path.is_file():
        curve = []
        iterations = nb.iter_separate(
            truths.sum(axis=0), method="bitsnet", preset="paper", settings=PUBLISHED | VARIANTS[name],
            iterations=STEPS, seed=seed, low=0, high=1, device="cpu",
        )  # fmt: skip
        for iteration in iterations:
            if iteration.step and iteration.step % EVERY == 0:
                outputs = iteration.outputs
                sources = np.stack([outputs[f"source_{k}"].array for k in (1, 2)])
                gained = [gain(truths, each) for each in (sources, shared_out(sources, truths.sum(axis=0)))]
                curve.append([iteration.step, *gained])
        maps = np.stack([outputs[f"features_{k}"].array for k in (1, 2)])
        np.savez_compressed(path, curve=curve, sources=sources, features=maps)
        print(name, seed, curve[-1], flush=True)
    with np.load(path) as kept:
        return dict(kept)


def shared_out(sources: NDArray, mixture: NDArray) -> NDArray:
    """Return sources that add up to the mixture: each gets the same part of what their sum lacks."""
    return sources + (mixture - sources.sum(axis=0)) / len(sources)


def gain(truths: NDArray, sources: NDArray) -> float:
    """Return the mean offset-free gain in decibels over the mixture itself."""
    found = score(sources, truths, truths.sum(axis=0), lo=0, hi=1)
    return float(found["mean_gain_offset_free"])


def common_edges(maps: NDArray) -> tuple[float, float]:
    """Return how far edges of the two sources' feature maps coincide, and the same by chance.

    Both are means over pairs of maps of the absolute correlation between gradient magnitudes; by chance, the
    maps of the second source are displaced by half of the image.
    """
    edges = [np.hypot(*np.gradient(each, axis=(1, 2))) for each in maps]

    def correlation(first: NDArray, second: NDArray) -> float:
        a, b = (each.reshape(len(each), -1) for each in (first, second))
        a, b = (each - each.mean(axis=1, keepdims=True) for each in (a, b))
        a, b = (each / np.maximum(np.linalg.norm(each, axis=1, keepdims=True), 1e-12) for each in (a, b))
        return float(np.abs(a @ b.T).mean())

    half = SIDE // 2
    return correlation(*edges), correlation(edges[0], np.roll(edges[1], (half, half), axis=(1, 2)))


def table(truths: NDArray, runs: dict[str, list[dict[str, NDArray]]], empty: float) -> list[list[str]]:
    """Return the table of the page: nulls, the package's default, and the variants."""
    mixture = truths.sum(axis=0)
    trained = nb.separate(mixture, method="feedforward", low=0, high=1, device="cpu", seed=0)

    def one(name: str, value: float) -> list[str]:
        return [name, *[""] * len(SEEDS), f"{value:+.2f}", *[""] * 4]

    rows = [
        ["answer", *(f"seed {seed}" for seed in SEEDS), "mean", "sum made exact", "lacking", "common edges",
         "by chance"],
        one("the mixture as both sources, or equal halves", gain(truths, np.stack([mixture / 2] * 2))),
        one("the best empty answer", empty),
    ]  # fmt: skip
    for name, several in runs.items():
        last = np.array([each["curve"][-1, 1:] for each in several])
        lacking = [np.abs(mixture - each["sources"].sum(axis=0)).mean() for each in several]
        edges = np.mean([common_edges(each["features"]) for each in several], axis=0)
        rows.append(
            [
                name,
                *(f"{value:+.2f}" for value in last[:, 0]),
                f"{last[:, 0].mean():+.2f}",
                f"{last[:, 1].mean():+.2f}",
                *(f"{value:.3f}" for value in (np.mean(lacking), *edges)),
            ]
        )
    return [*rows, one("trained networks (`feedforward`), the default", gain(truths, trained.sources))]


def in_order(truths: NDArray, sources: NDArray) -> list[int]:
    """Return the indices of the sources in the order of the truths."""
    return list(score(sources, truths, truths.sum(axis=0), lo=0, hi=1)["assignment"])


def draw_ablation(truths: NDArray, runs: dict[str, list[dict[str, NDArray]]]) -> None:
    """Draw the sources of one seed, one column a variant, beside the mixture, the truths and equal halves."""
    mixture = truths.sum(axis=0)
    columns = [(["mixture", ""], [mixture, None]), (["truth"] * 2, 2 * truths)]
    columns.append((["null: equal halves"] * 2, [mixture] * 2))
    for name, several in runs.items():
        first = several[SEEDS[0]]
        gained = f"{first['curve'][-1, 1]:+.1f} dB"
        sources = first["sources"][in_order(truths, first["sources"])]
        columns.append(([f"{name}\n{gained}"] * 2, 2 * sources))
    rows = [
        [None if images[k] is None else to_display(images[k], 0, 1) for _, images in columns] for k in (0, 1)
    ]
    captions = [[texts[k] for texts, _ in columns] for k in (0, 1)]
    sheet = contact_sheet(rows, captions, title=f"seed {SEEDS[0]}, {STEPS} iterations", cell=170)
    imsave(IMAGES / "step-by-step-ablation.png", sheet)


def draw_curves(runs: dict[str, list[dict[str, NDArray]]], empty: float) -> None:
    """Draw the gain in the course of the iterations: thin lines for seeds, thick ones for their means."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
    titles = ("sources as the networks draw them", "what their sum lacks shared out evenly")
    for column, (axis, title) in enumerate(zip(axes, titles, strict=True), 1):
        for name, several in runs.items():
            curves = np.stack([each["curve"] for each in several])
            axis.plot(curves[0, :, 0], curves[:, :, column].T, color=COLOURS[name], lw=0.6, alpha=0.6)
            axis.plot(curves[0, :, 0], curves[:, :, column].mean(axis=0), color=COLOURS[name], label=name)
        axis.axhline(0, color="black", lw=1, label="the mixture, or equal halves")
        axis.axhline(empty, color="black", lw=1, ls=":", label="best empty answer")
        axis.set(title=title, xlabel="iteration")
    axes[0].set_ylabel("offset-free gain, dB")
    axes[1].legend(fontsize="small")
    figure.savefig(IMAGES / "step-by-step-curves.png", dpi=110)


def draw_features(truths: NDArray, runs: dict[str, list[dict[str, NDArray]]]) -> None:
    """Draw the second-to-last feature maps of both networks of one seed."""
    rows, captions = [], []
    for name in ("Double-DIP", "BITS-Net"):
        first = runs[name][SEEDS[0]]
        for k, index in enumerate(in_order(truths, first["sources"]), 1):
            maps = first["features"][index]
            rows.append([to_display(each) for each in maps])
            captions.append([f"{name}, source {k}", *[""] * (len(maps) - 1)])
    sheet = contact_sheet(rows, captions, title="second-to-last feature maps", cell=96)
    imsave(IMAGES / "step-by-step-features.png", sheet)


if __name__ == "__main__":
    main()
