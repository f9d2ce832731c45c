"""Does guided separation gain on real pairs of modalities, does it never lose, and does its interval hold?

Data: the folder ``crossmodal`` of ``--data DIR`` (see `benchmarks.quality.cases.crossmodal`): pairs on which
numbers were chosen ("tuned", "across" and "others"), pairs of other images ("held back"), and simulated
panels, seeds 0 to 3, misregistered by 1.5 pixels.
Command: ``python -m benchmarks.studies.guided_choices rows.jsonl --data DIR``. It resumes; ``--method
guided_regression``, ``--preset quick`` and ``--sets`` choose what is measured.
Answer: see "Real pairs" in ``docs/benchmarks/guided.md``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.quality.cases.crossmodal import ACROSS, HELD_BACK, OTHERS, TUNED, crossmodal_case
from benchmarks.quality.measure import load_rows
from benchmarks.studies import append_rows, arguments_of, guided_problem
from napari_bitsnet.core.images import restore
from napari_bitsnet.core.metrics import score
from napari_bitsnet.data.case import Case
from napari_bitsnet.data.panel import simulate_panel
from napari_bitsnet.methods import METHODS

SETS = {
    "held back": HELD_BACK,
    "tuned": TUNED,
    "across": ACROSS,
    "panels": tuple(("panel", s, 0) for s in range(4)),
    "others": OTHERS,
}
"""Pairs by what was chosen on them."""


def cases(data: Path, names: list[str], size: int) -> Iterator[tuple[dict[str, Any], Case]]:
    """Yield what identifies a run, and its case, with both guides and with each alone."""
    for given in ((0, 1), (0,), (1,)):
        for name in names:
            for pair in SETS[name]:
                key = {
                    "set": name,
                    "kind": pair[0],
                    "pair": list(pair[1:]),
                    "given": list(given),
                    "size": size,
                }
                if pair[0] != "panel":
                    yield key, crossmodal_case(data / "crossmodal", pair, size, given)
                    continue
                panel = simulate_panel(pair[1], size, misregistration=1.5)
                guides = [g if k in given else None for k, g in enumerate(panel.guides)]
                yield key, Case("panel", "panel", "xray", panel.mixture, panel.truths, guides=guides)


def measure(case: Case, name: str, preset: str) -> dict[str, float]:
    """Return offset-free gains over the mixture in dB, the coverage of the 90 % interval, and processor
    seconds."""
    problem = guided_problem(case.mixture, case.guides)
    method = METHODS.get(name)(METHODS.get(name).presets[preset])
    start = time.process_time()
    state = method.start(problem, device="cpu", seed=0)
    losses = [{k: float(v) for k, v in step.items()} for step in method.advance(state)][-1]
    seconds = time.process_time() - start
    answer = method.solution(state)
    sources = restore(answer["sources"], problem.scaling, share_of=2)
    half = answer["uncertainty"][0, 0].cpu().numpy() * problem.scaling.span
    error = sources - case.truths
    error -= error.mean(axis=(1, 2), keepdims=True)
    found = {
        "gain": score(sources, case.truths, case.mixture)["mean_gain_offset_free"],
        "energy": losses["explained_energy"],
        "coverage": float(
            np.mean([(np.abs(error[k]) <= half).mean() for k, g in enumerate(case.guides) if g is not None])
        ),
        "seconds": seconds,
    }
    if case.ceiling is not None:
        found["ceiling"] = score(case.ceiling, case.truths, case.mixture)["mean_gain_offset_free"]
    return found


def table(rows: list[dict[str, Any]]) -> str:
    """Return means and least values by number of guides, set and kind, in Markdown; the null, the mixture,
    gains 0 dB."""
    lines = [
        "| pairs | runs | gain, dB | least | colours' ceiling, dB | energy | coverage | s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    groups = dict.fromkeys((len(r["given"]), r["set"], r["kind"]) for r in rows)
    for n_guides, name, kind in groups:
        chosen = [r for r in rows if (len(r["given"]), r["set"], r["kind"]) == (n_guides, name, kind)]
        mean = {k: np.mean([r[k] for r in chosen]) for k in ("gain", "energy", "coverage", "seconds")}
        tops = [r["ceiling"] for r in chosen if "ceiling" in r]
        lines.append(
            f"| {'two guides' if n_guides == 2 else 'one guide'}, {name}, {kind} | {len(chosen)} | "
            f"{mean['gain']:+.2f} | {min(r['gain'] for r in chosen):+.2f} | "
            f"{f'{np.mean(tops):+.2f}' if tops else '–'} | {mean['energy']:.2f} | {mean['coverage']:.0%} | "
            f"{mean['seconds']:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure what is not in the file yet, print the table."""
    parser = arguments_of(__doc__)
    parser.add_argument("rows", type=Path, help="File that keeps what was measured, one JSON record a line.")
    parser.add_argument("--data", type=Path, required=True, help="Folder of measuring images.")
    parser.add_argument("--method", default="guided_network", help="Method.")
    parser.add_argument("--preset", default="balanced", help="Its preset.")
    parser.add_argument("--size", default=128, type=int, help="Side in pixels.")
    parser.add_argument("--sets", default=",".join(SETS), help="Sets of pairs, separated by commas.")
    parser.add_argument("--n", default=0, type=int, help="Runs at most; 0 for all.")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    options = {"method": arguments.method, "preset": arguments.preset}
    rows = load_rows(arguments.rows)
    new = 0
    for key, case in cases(arguments.data, arguments.sets.split(","), arguments.size):
        key |= options
        if any(key.items() <= row.items() for row in rows):
            continue
        if arguments.n and new == arguments.n:
            break
        new += 1
        rows.append({**key, **measure(case, arguments.method, arguments.preset)})
        append_rows(arguments.rows, rows[-1:])
    print(table([r for r in rows if options.items() <= r.items() and r["size"] == arguments.size]))


if __name__ == "__main__":
    main()
