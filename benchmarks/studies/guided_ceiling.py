"""How near does guided separation come to its ceiling, with and without the trained correction?

Data: simulated panels, seeds 0 to n - 1 (no download), aligned and misregistered by 1.5 pixels.
Command: ``python -m benchmarks.studies.guided_ceiling rows.jsonl --n 100 --size 256``. It resumes; several
processes may share the panels (``--first 0 --step 2``, ``--first 1 --step 2``) and the file.
Answer: 85 to 87 % of the ceiling's decibels with two guides, 101 to 106 % with one; see
``docs/benchmarks/guided.md``.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import napari_bitsnet as nb
from benchmarks.quality.measure import load_rows
from benchmarks.quality.statistics import interval_text
from benchmarks.studies import append_rows, arguments_of, guided_problem
from napari_bitsnet.core.images import restore
from napari_bitsnet.data.panel import Panel, simulate_panel
from napari_bitsnet.methods.guided.guided_regression import GuidedRegression, GuidedRegressionConfig
from napari_bitsnet.methods.guided.shares import explained_shares

GROUPS = {"misregistered": 1.5, "aligned": 0.0}
"""Root mean square displacement of the photographs, pixels."""


def gain(panel: Panel, sources: NDArray) -> float:
    """Offset-free gain over the mixture, decibels."""
    return nb.metrics.score(sources, panel.truths, panel.mixture)["mean_gain_offset_free"]


def measure(panel: Panel, n_guides: int, settings: dict[str, Any]) -> dict[str, float]:
    """Gains of the closed form, of the corrected one and of the ceiling, and seconds."""
    guides = [guide if k < n_guides else None for k, guide in enumerate(panel.guides)]
    problem = guided_problem(panel.mixture, guides)
    method = GuidedRegression(GuidedRegressionConfig().updated({"uncertainty": False, **settings}))
    start, used = time.monotonic(), time.process_time()
    state = method.start(problem, device="cpu", seed=0)
    for _ in method.advance(state):
        pass
    seconds = {"seconds": time.monotonic() - start, "processor": time.process_time() - used}
    assert state.model is not None
    answers = {"closed": explained_shares(problem, state.model), "corrected": method.solution(state)}
    found = {
        name: gain(panel, restore(answer["sources"], problem.scaling, share_of=2))
        for name, answer in answers.items()
    }
    return {**found, "ceiling": gain(panel, panel.ceiling(n_guides)), **seconds}


def table(rows: list[dict]) -> str:
    """Means, parts of the ceiling, deciles and paired differences with bootstrap intervals, in Markdown."""
    lines = [
        "| panels | n | closed form | corrected | difference | ceiling | part of it | lower decile | least | "
        "s |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for n_guides in (2, 1):
        for group in GROUPS:
            chosen = [r for r in rows if (r["guides"], r["group"]) == (n_guides, group)]
            if not chosen:
                continue
            closed, after, top = (
                np.array([r[k] for r in chosen]) for k in ("closed", "corrected", "ceiling")
            )
            change = after - closed
            difference = f"{change.mean():+.2f} ({interval_text(change)})"
            lines.append(
                f"| {n_guides} guide{'s'[: n_guides - 1]}, {group} | {len(chosen)} | {closed.mean():+.2f} | "
                f"**{after.mean():+.2f}** | {difference} | {top.mean():+.2f} | "
                f"{100 * after.mean() / top.mean():.1f} % | {np.quantile(after, 0.1):+.2f} | "
                f"{after.min():+.2f} | {np.mean([r['processor'] for r in chosen]):.1f} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Measure what is not in the file yet, print the table."""
    parser = arguments_of(__doc__)
    parser.add_argument("rows", type=Path, help="File that keeps what was measured, one JSON record a line.")
    parser.add_argument("--n", default=100, type=int, help="Panels: seeds 0 … n - 1.")
    parser.add_argument("--first", default=0, type=int, help="Seed to begin with.")
    parser.add_argument("--step", default=1, type=int, help="Take every so many-th panel.")
    parser.add_argument("--size", default=256, type=int, help="Side in pixels.")
    parser.add_argument("--groups", default=",".join(GROUPS), help="Groups, separated by commas.")
    parser.add_argument(
        "--settings", default="{}", help="Settings of the method, such as '{\"drift\": 5}'; a file for each."
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    settings = json.loads(arguments.settings)

    def read() -> list[dict]:
        rows = load_rows(arguments.rows)
        return [r for r in rows if r["size"] == arguments.size and r["seed"] < arguments.n]

    done = {(r["seed"], r["group"], r["guides"]) for r in read()}
    for seed in range(arguments.first, arguments.n, arguments.step):
        for group in arguments.groups.split(","):
            wanted = [g for g in (2, 1) if (seed, group, g) not in done]
            if not wanted:
                continue
            panel = simulate_panel(seed, arguments.size, misregistration=GROUPS[group])
            for n_guides in wanted:
                key = {"seed": seed, "group": group, "guides": n_guides, "size": arguments.size}
                append_rows(arguments.rows, [{**key, **measure(panel, n_guides, settings)}])
    print(table(read()))


if __name__ == "__main__":
    main()
