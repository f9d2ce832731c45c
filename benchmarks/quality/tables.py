"""Rows of scores as tables: one a group, Markdown for people and CSV for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

from benchmarks.quality.paired import differences_table
from benchmarks.quality.statistics import interval_text, summary

Row = dict[str, Any]
HEAD = (
    "| answer | n | PSNR | SSIM | offset-free PSNR | gain | **offset-free gain** | median | lower decile "
    "| 95 % of the mean | SSIM gain | crosstalk | seed spread | s | MiB |"
)

FURTHER = {"iou": "IoU", "flicker": "flicker", "both_above": "both above"}
"""Columns that only some groups have."""


def markdown(rows: Sequence[Row]) -> str:
    """Return one table a group: means over cases, with the tails and the interval of the gain; below it,
    contenders in pairs.

    Gains are decibels over the mixture itself as every source; the interval is a bootstrap over cases of
    the offset-free gain, a paired difference by its definition; seed spread is the mean over cases of the
    standard deviation over seeds.
    """
    parts = []
    for group, members in _grouped(rows, "group"):
        head = HEAD + "".join(f" **{title}** |" for name, title in FURTHER.items() if name in members[0])
        lines = [f"### {group}", "", head, "|" + "---|" * (head.count("|") - 1)]
        named = sorted(_grouped(members, "contender"), key=lambda pair: _order(*pair))
        lines += [_line(name, list(entries)) for name, entries in named]
        parts.append("\n".join(lines))
        parts += [compared] if (compared := differences_table(members)) else []
    return "\n\n".join(parts) + "\n"


def to_csv(rows: Sequence[Row]) -> str:
    """Return every row, one a line, with all its columns."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, names, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def _grouped(rows: Sequence[Row], name: str) -> list[tuple[str, list[Row]]]:
    order = {value: i for i, value in enumerate(dict.fromkeys(row[name] for row in rows))}
    ordered = sorted(rows, key=lambda row: order[row[name]])
    return [(value, list(members)) for value, members in groupby(ordered, key=lambda row: row[name])]


def _order(name: str, rows: Sequence[Row]) -> tuple[int, float]:
    """Nulls first, ceilings last, contenders by their gain."""
    place = 0 if name.startswith("null") else 2 if name == "ceiling" else 1
    return place, float(np.mean([row["gain_offset_free"] for row in rows]))


def _line(name: str, rows: Sequence[Row]) -> str:
    cases = _grouped(rows, "case")
    gains = [float(np.mean([row["gain_offset_free"] for row in members])) for _, members in cases]
    spread = [float(np.std([row["gain_offset_free"] for row in members])) for _, members in cases]
    several = any(len(members) > 1 for _, members in cases)
    tails = summary(gains)

    def mean(column: str) -> float:
        return float(np.mean([row[column] for row in rows]))

    cells = [
        name,
        str(len(cases)),
        f"{mean('psnr'):.2f}",
        f"{mean('ssim'):.3f}",
        f"{mean('psnr_offset_free'):.2f}",
        f"{mean('gain'):+.2f}",
        f"**{tails['mean']:+.2f}**",
        f"{tails['median']:+.2f}",
        f"{tails['lower_decile']:+.2f}",
        interval_text(gains),
        f"{mean('ssim_gain'):+.3f}",
        f"{mean('crosstalk'):.2f}",
        f"{np.mean(spread):.2f}" if several else "",
        f"{mean('seconds'):.1f}" if "seconds" in rows[0] else "",
        f"{mean('peak_mib'):.0f}" if rows[0].get("peak_mib") is not None else "",
    ]
    cells += [f"**{mean(name):.3f}**" for name in FURTHER if name in rows[0]]
    return "| " + " | ".join(cells) + " |"
