"""Can the best seed of an untrained network be told without the truth?

Data: pairs of reserved photographs from the folder of measuring images; without it, pairs that scikit-image
ships. Every pair is fitted from each seed with one pixel in twenty hidden; the remainder of the sum is shared
out, and the answers are scored with and without the truth.
Command: ``python -m benchmarks.studies.seed_ranking rows.jsonl --data DIR --n 10 --seeds 4 --iterations
400``; it resumes.
Answer: hardly (rank correlation 0.3 for the prediction of hidden pixels), so seeds are averaged; see
``benchmarks/studies/seed_ranking.md``.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr

from benchmarks.quality.cases.builtin import builtin_cases
from benchmarks.quality.cases.folder import folder_cases
from benchmarks.quality.measure import load_rows, score_row
from benchmarks.quality.statistics import interval_text
from benchmarks.studies import append_rows, arguments_of
from napari_bitsnet.api import run
from napari_bitsnet.core.losses.exclusion import pairwise_exclusion
from napari_bitsnet.data.case import Case
from napari_bitsnet.methods.wrappers.averaged_seeds import agreeing_orders

HIDDEN = 0.05
"""Part of the pixels that no run sees."""
Row = dict[str, Any]


def main() -> None:
    """Run what is missing from the file, then print two tables."""
    parser = arguments_of(__doc__)
    parser.add_argument("rows", type=Path)
    parser.add_argument("--data", type=Path, help="the benchmark's folder: reserved photographs are paired")
    parser.add_argument("--n", default=6, type=int, help="pairs, at most")
    parser.add_argument("--seeds", default=4, type=int)
    parser.add_argument("--iterations", default=400, type=int)
    parser.add_argument("--size", default=64, type=int)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    rows: list[Row] = load_rows(arguments.rows)
    known = {row["pair"] for row in rows}
    for case in pairs(arguments.data, arguments.size, arguments.n):
        if case.name in known:
            continue
        found = measure(case, arguments.seeds, arguments.iterations)
        append_rows(arguments.rows, found)
        rows += found
        print(case.name, [round(row["gain"], 2) for row in found if row["seed"] is not None], flush=True)
    print(table(rows))


def pairs(data: Path | None, size: int, n: int) -> Iterator[Case]:
    """The first `n` pairs, superimposed half and half."""
    makers = builtin_cases(size, n) if data is None else folder_cases(data, size, n)
    wanted = "blind, bundled" if data is None else "blind, reserved photographs"
    made = (make() for group, make in makers if group == wanted)
    return (case for case, _ in zip(made, range(n), strict=False))


def measure(case: Case, n_seeds: int, iterations: int) -> list[Row]:
    """One row a seed, ``scores`` without the truth and ``gain`` with it, and one of all seeds averaged (seed
    None)."""
    hidden = np.random.default_rng(0).random(case.mixture.shape[:2]) < HIDDEN
    drawn = [draw(case, hidden, seed, iterations) for seed in range(n_seeds)]
    answers = np.stack([share_out(sources, case.mixture) for sources in drawn])
    tensors = torch.from_numpy(answers).permute(0, 1, 4, 2, 3)
    ordered = np.stack([own[order] for own, order in zip(answers, agreeing_orders(tensors), strict=True)])
    trained = run("separate", case.mixture, method="feedforward", **case.options).sources
    rows: list[Row] = []
    for seed, sources in enumerate(drawn):
        scores = scores_without_truth(
            sources,
            case.mixture,
            hidden,
            trained=trained,
            others=np.delete(ordered, seed, axis=0).mean(axis=0),
        )
        gain = score_row(case, answers[seed])["gain_offset_free"]
        rows.append({"pair": case.name, "seed": seed, "scores": scores, "gain": gain})
    averaged = score_row(case, ordered.mean(axis=0))["gain_offset_free"]
    return [*rows, {"pair": case.name, "seed": None, "gain": averaged}]


def draw(case: Case, hidden: NDArray, seed: int, iterations: int) -> NDArray:
    """Sources (K, Y, X, C) as networks draw them that do not see the `hidden` pixels, there as well."""
    result = run(
        "separate", case.mixture, mask=hidden, method="bitsnet", preset="official", seed=seed,
        iterations=iterations, device="cpu", **case.options,
    )  # fmt: skip
    assert result.state is not None
    sources = result.state.method.solution(result.state.state)["sources"]
    return sources.permute(0, 2, 3, 1).numpy()


def share_out(sources: NDArray, mixture: NDArray) -> NDArray:
    """Add what is missing from the mixture in equal parts."""
    return sources + (mixture - sources.sum(axis=0)) / len(sources)


def scores_without_truth(
    sources: NDArray, mixture: NDArray, hidden: NDArray, *, trained: NDArray, others: NDArray
) -> dict[str, float]:
    """Scores of two sources (2, Y, X, C) as they were drawn; more is meant to be better.

    Parameters
    ----------
    sources : ndarray of shape (2, Y, X, C)
        One seed's.
    mixture : ndarray of shape (Y, X, C)
        In [0, 1].
    hidden : bool array of shape (Y, X)
        Pixels that the networks did not see.
    trained, others : ndarray of shape (2, Y, X, C)
        What `feedforward` answers, and the mean of the other seeds' answers.
    """
    error = np.abs(sources.sum(axis=0) - mixture).mean(axis=-1)
    shares = share_out(sources, mixture)
    difference = contrast(shares)
    tensor = torch.from_numpy(shares).permute(0, 3, 1, 2).float()
    return {
        "hidden pixels, as predicted (cross-validation)": -float(error[hidden].mean()),
        "pixels that were fitted": -float(error[~hidden].mean()),
        "agreement with `feedforward`": agreement(difference, contrast(trained)),
        "agreement with the other seeds' mean": agreement(difference, contrast(others)),
        "`feedforward` finds little to divide in each source": -float(
            np.mean([mixed(y) for y in 2 * shares])
        ),
        "small contrast of the difference": -float(difference.std()),
        "few shared edges (exclusion)": -float(pairwise_exclusion(tensor)),
    }


def contrast(shares: NDArray) -> NDArray:
    """The first minus the second, without its mean in each channel: what a separation decides."""
    difference = shares[0] - shares[1]
    return difference - difference.mean(axis=(0, 1))


def agreement(first: NDArray, second: NDArray) -> float:
    """Correlation of two differences; which source is called the first does not matter."""
    return abs(
        float(np.vdot(first, second) / np.sqrt(np.vdot(first, first) * np.vdot(second, second) + 1e-12))
    )


def mixed(image: NDArray) -> float:
    """Return the contrast of the difference that `feedforward` finds in an image (Y, X, C) in [0, 1], over
    the image's contrast."""
    seen = np.clip(image, 0, 1)
    result = run("separate", seen, method="feedforward", low=0.0, high=1.0)
    return float(contrast(result.sources).std() / max(seen.std(axis=(0, 1)).mean(), 1e-6))


def table(rows: Sequence[Row]) -> str:
    """Rank correlations within pairs, and what the seed with the highest score gains over any seed and over
    their average."""
    seeds = [row for row in rows if row["seed"] is not None]
    names = list(dict.fromkeys(row["pair"] for row in seeds))
    gains = {name: np.array([row["gain"] for row in seeds if row["pair"] == name]) for name in names}
    lines = [
        f"{len(names)} pairs, {len(seeds)} runs",
        "",
        "| score | rank correlation with the gain | the seed it chooses, over any seed, dB | over all "
        "averaged, dB |",
        "|---|---|---|---|",
    ]
    averaged = {row["pair"]: row["gain"] for row in rows if row["seed"] is None}
    any_seed = np.array([gains[name].mean() for name in names])
    mean = np.array([averaged[name] for name in names])

    def line(score: str, correlation: str, chosen: NDArray) -> str:
        gains = [_with_interval(chosen - any_seed), _with_interval(chosen - mean)]
        return f"| {score} | {correlation} | {' | '.join(gains)} |"

    for score in seeds[0]["scores"]:
        correlations, chosen = [], []
        for name in names:
            values = np.array([row["scores"][score] for row in seeds if row["pair"] == name])
            correlations.append(rank_correlation(values, gains[name]))
            chosen.append(gains[name][values.argmax()])
        lines.append(line(score, _with_interval(correlations), np.array(chosen)))
    best = np.array([gains[name].max() for name in names])
    return "\n".join(
        [
            *lines,
            line("the truth", "1", best),
            line("none: all averaged", "", mean),
            "",
            f"offset-free gain: any seed {any_seed.mean():+.2f} dB, all averaged {mean.mean():+.2f} dB; in "
            "brackets 95 % over pairs",
        ]
    )


def rank_correlation(values: NDArray, gains: NDArray) -> float:
    """Spearman's coefficient; 0 where all values are the same."""
    return 0.0 if np.ptp(values) == 0 or np.ptp(gains) == 0 else float(spearmanr(values, gains).statistic)


def _with_interval(values: Sequence[float] | NDArray) -> str:
    return f"{np.mean(values):+.2f} ({interval_text(list(values))})"


if __name__ == "__main__":
    main()
