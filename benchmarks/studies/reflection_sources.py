"""What `feedforward` gains on each source of the reflection triplets: transmitted and reflected image apart.

``python docs/scripts/reflection_sources.py DIR``, with the benchmark's folder of images.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np

import napari_bitsnet as nb
from benchmarks.quality.cases.folder import folder_cases


def main() -> None:
    """Separate twenty triplets at 224 x 224; print mean gains with bootstrap intervals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    warnings.simplefilter("ignore")
    cases = [
        make() for group, make in folder_cases(parser.parse_args().data, 224, 20) if group == "reflections"
    ]
    results = [nb.run("separate", case.mixture, method="feedforward") for case in cases]
    scores = [nb.metrics.score(r.sources, c.truths, c.mixture) for r, c in zip(results, cases, strict=True)]
    for name in ("gain", "gain_offset_free"):
        gains = np.array([score[name] for score in scores])
        drawn = np.random.default_rng(0).integers(0, len(gains), (4000, len(gains)))
        low, high = np.quantile(gains[drawn].mean(axis=1), [0.025, 0.975], axis=0)
        both = int((gains > 0).all(axis=1).sum())
        print(name, gains.mean(axis=0), low, high, f"both above the mixture: {both} of {len(gains)}")  # noqa: T201


if __name__ == "__main__":
    main()
