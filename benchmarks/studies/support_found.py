"""How much of a panel's support, weave or grain, is found, and how little of everything else?

Data: simulated panels with two guides, misregistered by 1.5 pixels (no download).
Command: ``python -m benchmarks.studies.support_found --first 1000 --n 6``
Answer: correlation 0.78 with the true support, 0.07 with everything else; see ``docs/benchmarks/guided.md``.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

import napari_bitsnet as nb
from benchmarks.studies import panel_arguments
from napari_bitsnet.data.panel import Recipe, simulate_panel

HEAD = (
    "| panel | unexplained, support | found, support | part found | found, all else | energy of unexplained |"
)
"""The first, second and fourth columns are correlations."""


def likeness(one: NDArray, other: NDArray) -> float:
    """Correlation."""
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def main() -> None:
    """Separate with two guides, print a table."""
    parser = panel_arguments(__doc__, first=1000, n=8, size=256)
    parser.add_argument(
        "--support", default=Recipe().support, type=float, help="Strength of the support; 0 is none."
    )
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    print(HEAD)
    print("|---|---|---|---|---|---|")
    rows = []
    for seed in range(arguments.first, arguments.first + arguments.n):
        panel = simulate_panel(seed, arguments.size, recipe=Recipe(support=arguments.support))
        run = nb.run(
            "xray", panel.mixture, guides=panel.guides, support=True, settings={"uncertainty": False}
        )
        found = run.outputs["support"].array
        left = run.outputs["unexplained"].array + found
        true = panel.parts["support"].sum(axis=0)
        rest = (panel.truths - panel.explained).sum(axis=0) - true
        energy = float(np.square(found).mean() / left.var())
        if arguments.support:
            slope = float((found * true).sum() / np.square(true).sum())
            rows.append([likeness(left, true), likeness(found, true), slope, likeness(found, rest), energy])
        else:
            rows.append([np.nan, np.nan, np.nan, likeness(found, rest) if energy else 0.0, energy])
        print(f"| {seed} | " + " | ".join(f"{value:.3f}" for value in rows[-1]) + " |", flush=True)
    print("| mean | " + " | ".join(f"{value:.3f}" for value in np.mean(rows, axis=0)) + " |")


if __name__ == "__main__":
    main()
