"""How often does the 90 % interval of guided separation hold the truth?

Data: simulated panels (no download), with seeds on which the interval was not calibrated.
Command: ``python -m benchmarks.studies.interval_coverage --n 6 --size 128 --first 200``
Answer: at 89 to 92 % of the pixels; see ``docs/concepts/trust.md``.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

import napari_bitsnet as nb
from benchmarks.studies import panel_arguments
from napari_bitsnet.data.panel import simulate_panel

STRATA: dict[str, dict[str, Any]] = {
    "": {},
    "aligned": {"misregistration": 0.0},
    "noise 2 %": {"noise": 0.02},
}


def main() -> None:
    """Measure and print a table."""
    parser = panel_arguments(__doc__, first=100, n=8, size=192)
    parser.add_argument("--preset", default="balanced")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    print("| guides | panels | coverage, mean | least | error over half width | explained energy |")
    print("|---|---|---|---|---|---|")
    for n_guides in (2, 1):
        for name, settings in STRATA.items():
            rows = []
            for seed in range(arguments.first, arguments.first + arguments.n):
                panel = simulate_panel(seed, arguments.size, **settings)
                guides = [g if k < n_guides else None for k, g in enumerate(panel.guides)]
                result = nb.run("xray", panel.mixture, guides=guides, preset=arguments.preset)
                error = result.outputs["source_1"] - panel.truths[0]
                error = np.abs(error - error.mean())
                half = result.outputs["uncertainty"]
                energy = result.provenance["losses"]["explained_energy"]
                rows.append(((error <= half).mean(), np.quantile(error / half, 0.9), energy))
            table = np.array(rows)
            print(
                f"| {n_guides}{', ' if name else ''}{name} | {arguments.n} | {table[:, 0].mean():.1%} | "
                f"{table[:, 0].min():.1%} | {table[:, 1].mean():.2f} | {table[:, 2].mean():.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
