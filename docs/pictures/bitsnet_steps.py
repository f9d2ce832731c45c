"""Draw the page *BITS-Net, step by step*: what each part of the method does on one mixture of photographs.

``python -m docs.pictures.bitsnet_steps`` takes about half an hour of one core. It writes
``docs/images/bitsnet-steps.png``, ``docs/images/bitsnet-features.png`` and
``docs/benchmarks/tables/bitsnet_steps.csv``.
"""

from __future__ import annotations

import csv
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from skimage.color import rgb2gray
from skimage.transform import resize

import napari_bitsnet as nb
from napari_bitsnet.data.photographs import bundled_photograph

DOCS = Path(__file__).resolve().parent.parent
SIZE, ITERATIONS, EVERY, SEEDS = 64, 600, 25, (0, 1, 2)
PARTS = {
    "BITS-Net": {},
    "without features": {"alpha_features": 0},
    "without the denoiser": {"lam": 0},
    "Double-DIP": {"alpha_features": 0, "lam": 0},
}
"""Settings that leave a part out of the preset ``paper``."""


def photographs() -> np.ndarray:
    """Return two grey photographs (2, Y, X) on [0, 1]."""
    found = (rgb2gray(bundled_photograph(name)) for name in ("chelsea", "coffee"))
    return np.stack([resize(each, (SIZE, SIZE), anti_aliasing=True) for each in found]).astype(np.float32)


def curve(mixture: np.ndarray, shares: np.ndarray, settings: dict[str, float], seed: int):
    """Return the offset-free gain every `EVERY` iterations, and the last outputs."""
    gains, outputs = [], {}
    run = nb.iter_separate(
        mixture, method="bitsnet", preset="paper", seed=seed, device="cpu", iterations=ITERATIONS,
        settings={**settings, "features": True, "early_stopping": False},
    )  # fmt: skip
    for iteration in run:
        if iteration.step % EVERY == 0:
            outputs = iteration.outputs
            sources = np.stack([outputs[f"source_{k}"].array for k in (1, 2)])
            gains.append(nb.metrics.score(sources, shares, mixture)["mean_gain_offset_free"])
    return gains, outputs


def main() -> None:
    """Run all variants, and draw."""
    shares = photographs() / 2
    mixture = shares.sum(axis=0)
    rows, curves, pictures = [], {}, {}
    for name, settings in PARTS.items():
        for seed in SEEDS:
            gains, outputs = curve(mixture, shares, settings, seed)
            curves.setdefault(name, []).append(gains)
            pictures.setdefault(name, outputs)
            rows += [(name, seed, step * EVERY, f"{gain:.3f}") for step, gain in enumerate(gains)]
            print(name, seed, f"{gains[-1]:+.2f} dB", flush=True)
    path = DOCS / "benchmarks" / "tables" / "bitsnet_steps.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("variant", "seed", "iteration", "offset-free gain (dB)"), *rows])
    draw_steps(mixture, shares, curves, pictures)
    draw_features(pictures["BITS-Net"], pictures["without features"])


def draw_steps(mixture, shares, curves, pictures) -> None:
    """Draw the answers of the first seed beside the truth, and the gains of all seeds over the iterations."""
    fig = plt.figure(figsize=(10, 6.4), layout="constrained")
    top, bottom = fig.subfigures(2, 1, height_ratios=[1.25, 1])
    axes = top.subplots(2, len(PARTS) + 2)
    columns = {"mixture": [mixture, mixture], "truth": list(shares)}
    for name, outputs in pictures.items():
        sources = [outputs[f"source_{k}"].array for k in (1, 2)]
        columns[name] = min(
            (sources, sources[::-1]),
            key=lambda order: sum(float(np.var(s - t)) for s, t in zip(order, shares, strict=True)),
        )
    for column, (name, images) in enumerate(columns.items()):
        for ax, image in zip(axes[:, column], images, strict=True):
            ax.imshow(image, cmap="gray")
            ax.axis("off")
        axes[0, column].set_title(name, fontsize=9)
    axes[1, 0].set_visible(False)
    ax = bottom.subplots()
    for name, found in curves.items():
        steps = np.arange(len(found[0])) * EVERY
        (line,) = ax.plot(steps, np.mean(found, axis=0), label=name)
        ax.fill_between(steps, np.min(found, 0), np.max(found, 0), color=line.get_color(), alpha=0.15)
    ax.axhline(0, color="black", linewidth=0.8, linestyle="--", label="the mixture itself")
    ax.set_xlabel("iteration")
    ax.set_ylabel("offset-free gain (dB)")
    ax.legend(fontsize=8)
    fig.savefig(DOCS / "images" / "bitsnet-steps.png", dpi=80)


def draw_features(with_loss, without) -> None:
    """Draw the strongest second-to-last feature maps of both generators, with and without their loss."""
    fig, axes = plt.subplots(4, 6, figsize=(9, 6.4), layout="constrained")
    for row, (outputs, k, title) in enumerate(
        [(o, k, t) for o, t in ((with_loss, "with"), (without, "without")) for k in (1, 2)]
    ):
        maps = outputs[f"features_{k}"].array
        strongest = np.argsort(-maps.reshape(len(maps), -1).std(axis=1))[:6]
        for ax, index in zip(axes[row], strongest, strict=False):
            ax.imshow(maps[index], cmap="gray")
            ax.set_xticks([])
            ax.set_yticks([])
        axes[row, 0].set_ylabel(f"{title} the loss\ngenerator {k}", fontsize=8)
    fig.savefig(DOCS / "images" / "bitsnet-features.png", dpi=70)


if __name__ == "__main__":
    main()
