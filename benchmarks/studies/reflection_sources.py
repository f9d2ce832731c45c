"""What does `feedforward` gain on the transmitted and on the reflected image of reflection triplets?

Data: twenty triplets at 224 x 224 from the folder of measuring images.
Command: ``python -m benchmarks.studies.reflection_sources DIR``
Answer: 2.0 dB and 2.1 dB over the mixture; see ``docs/benchmarks/blind.md``.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

import napari_bitsnet as nb
from benchmarks.quality.cases.folder import folder_cases
from benchmarks.quality.statistics import interval_text
from benchmarks.studies import arguments_of


def main() -> None:
    """Separate twenty triplets at 224 x 224; print mean gains with bootstrap intervals."""
    parser = arguments_of(__doc__)
    parser.add_argument("data", type=Path)
    warnings.simplefilter("ignore")
    cases = [
        make() for group, make in folder_cases(parser.parse_args().data, 224, 20) if group == "reflections"
    ]
    results = [nb.run("separate", case.mixture, method="feedforward") for case in cases]
    scores = [nb.metrics.score(r.sources, c.truths, c.mixture) for r, c in zip(results, cases, strict=True)]
    for name in ("gain", "gain_offset_free"):
        gains = np.array([score[name] for score in scores])
        intervals = [interval_text(column) for column in gains.T]
        both = int((gains > 0).all(axis=1).sum())
        print(name, gains.mean(axis=0), intervals, f"both above the mixture: {both} of {len(gains)}")


if __name__ == "__main__":
    main()
