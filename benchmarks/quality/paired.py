"""Paired differences between contenders on the same cases, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from benchmarks.quality.measure import BEST_OF
from benchmarks.quality.statistics import bootstrap_interval

Row = dict[str, Any]


def differences(rows: Sequence[Row]) -> list[Row]:
    """Return the difference of offset-free gain between every two contenders of a group.

    Parameters
    ----------
    rows : sequence of Row
        Scores; nulls, ceilings and oracles (`BEST_OF`) are left out. Seeds are averaged within a case first.

    Returns
    -------
    list of Row
        ``group``, ``first``, ``second`` (`first` has the higher mean over its own cases), ``n`` cases that
        both solved, ``mean`` of first minus second in dB, its 95 % bootstrap interval over cases ``low`` and
        ``high`` (None of a single case, which has none), ``wins``: cases in which the first is above the
        second. None where two share no case.
    """
    found: list[Row] = []
    for group in dict.fromkeys(row["group"] for row in rows):
        gains = _gains([row for row in rows if row["group"] == group])
        ranked = sorted(gains, key=lambda name: -float(np.mean(list(gains[name].values()))))
        for first, second in combinations(ranked, 2):
            shared = [case for case in gains[first] if case in gains[second]]
            if not shared:
                continue
            apart = [gains[first][case] - gains[second][case] for case in shared]
            low, high = bootstrap_interval(apart) or (None, None)
            found.append(
                {
                    "group": group, "first": first, "second": second,
                    "n": len(apart), "mean": float(np.mean(apart)),
                    "low": low, "high": high, "wins": sum(value > 0 for value in apart),
                }
            )  # fmt: skip
    return found


def differences_table(rows: Sequence[Row]) -> str:
    """Return the differences of one group as Markdown; empty if there are no two contenders to compare."""
    lines = [
        f"| {row['first']} − {row['second']} | {row['n']} | **{row['mean']:+.2f}** | {_interval(row)} "
        f"| {row['wins']} of {row['n']} |"
        for row in differences(rows)
    ]
    if not lines:
        return ""
    return "\n".join(
        [
            "| paired difference of offset-free gain | n | **mean** | 95 % | wins |",
            "|---|---|---|---|---|",
            *lines,
        ]
    )


def _gains(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """Offset-free gain, mean over seeds, by contender and case."""
    seen: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        name = row["contender"]
        if not name.startswith("null") and name != "ceiling" and BEST_OF not in name:
            seen.setdefault(name, {}).setdefault(row["case"], []).append(row["gain_offset_free"])
    return {
        name: {case: float(np.mean(values)) for case, values in cases.items()} for name, cases in seen.items()
    }


def _interval(row: Row) -> str:
    return "" if row["low"] is None else f"{row['low']:+.2f} … {row['high']:+.2f}"
