"""How close does `ytmt` come to transmission and reflection of the triplets, beside empty answers?

Data: twenty triplets at 224 x 224 from the folder of measuring images, on which nothing was trained or
chosen.
Command: ``python -m benchmarks.studies.known_reflections DIR [--weights FILE] [--preset balanced] [--blind]``
Answer: see ``docs/benchmarks/known_kinds.md``.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import napari_bitsnet as nb
from benchmarks.quality.cases.known_kinds import known_kind_cases
from benchmarks.quality.statistics import interval_text
from napari_bitsnet.core.metrics import psnr, ssim
from napari_bitsnet.data.case import Case


def nulls(case: Case, truth: NDArray) -> dict[str, NDArray]:
    """Return answers that separate nothing; the constant knows the truth's mean of each channel."""
    constant = np.broadcast_to(truth.mean(axis=(0, 1)), truth.shape)
    return {"mixture": case.mixture / 255, "zero": np.zeros_like(truth), "best constant": constant}


def blind(case: Case, truth: NDArray) -> NDArray:
    """Return the blind network's share that is closer to the truth, as it is or doubled."""
    shares = nb.separate(case.mixture, method="feedforward", low=0.0, high=255.0).sources / 255
    return max(
        (factor * share for share in shares for factor in (1, 2)), key=lambda image: _psnr(image, truth)
    )


def _psnr(image: NDArray, truth: NDArray) -> float:
    return psnr(np.clip(image, 0, 1), truth)


def main() -> None:
    """Separate the triplets and print PSNR and SSIM of both images, of every answer."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", type=Path, help="weights for reflections; default the package's")
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--blind", action="store_true", help="also the blind network feedforward")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    settings = {} if chosen.weights is None else {"weights": chosen.weights}
    cases = [make() for group, make in known_kind_cases(chosen.data) if group.endswith("reflection")]
    found: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for case in cases:
        result = nb.run(
            "reflection",
            case.mixture,
            method="ytmt",
            preset=chosen.preset,
            settings=settings,
            **case.options,
        )
        for kind, truth in zip(("transmission", "reflection"), case.truths / 255, strict=True):
            answers = {"ytmt": result.outputs[kind].array / 255, **nulls(case, truth)}
            if chosen.blind:
                answers["feedforward"] = blind(case, truth)
            for name, image in answers.items():
                scores = (_psnr(image, truth), ssim(np.clip(image, 0, 1), truth))
                found.setdefault(kind, {}).setdefault(name, []).append(scores)
    for kind, rows in found.items():
        ours = np.array(rows["ytmt"])[:, 0]
        for name, pairs in rows.items():
            decibels, likeness = np.array(pairs).T
            beaten = (
                "" if name == "ytmt" else f", ytmt above it in {int((ours > decibels).sum())} of {len(ours)}"
            )
            mean = f"{decibels.mean():6.2f} dB {interval_text(decibels)}"
            print(f"{kind:13} {name:14} {mean}, SSIM {likeness.mean():.3f}{beaten}")
        empty = [np.array(pairs)[:, 0] for name, pairs in rows.items() if name not in ("ytmt", "feedforward")]
        above = int((ours > np.max(empty, axis=0)).sum())
        print(f"{kind:13} above every null in {above} of {len(ours)}")


if __name__ == "__main__":
    main()
