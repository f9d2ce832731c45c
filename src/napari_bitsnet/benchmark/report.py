"""A benchmark run on disk: rows, tables, contact sheets, and the conditions they were measured under."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from napari_bitsnet._version import __version__
from napari_bitsnet.api import Result
from napari_bitsnet.benchmark.case import Case
from napari_bitsnet.benchmark.paired import differences
from napari_bitsnet.benchmark.tables import Row, markdown, to_csv
from napari_bitsnet.core.metrics import score
from napari_bitsnet.data.contact_sheet import contact_sheet, to_display


def conditions(device: str) -> dict[str, Any]:
    """Where and when: a figure without these says nothing."""
    import torch

    from napari_bitsnet.core.device import describe_device

    return {
        "napari-bitsnet": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": describe_device(device),
        "cores": os.cpu_count(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def write_tables(rows: Sequence[Row], folder: Path, *, command: str, device: str) -> None:
    """Write ``quality.md``, ``quality.csv`` and, for two contenders or more, ``paired.csv``, each under a temporary name first."""
    where = "; ".join(f"{name} {value}" for name, value in conditions(device).items())
    text = (
        "# Quality\n\n"
        f"Measured with `{command}`.\n\nConditions: {where}.\n\n"
        "Decibels are means over sources after joint assignment, then over cases. *gain* is PSNR minus that of "
        "the mixture taken as every source; *offset-free* is after the best constant a channel and source. Nulls "
        "separate nothing; a ceiling knows what a method has to estimate. Paired differences are of the offset-free "
        "gain, one contender minus another on the cases that both solved, seeds averaged first; the interval is a "
        "bootstrap over cases.\n\n" + markdown(rows)
    )
    files = {"quality.md": text, "quality.csv": to_csv(rows)}
    if compared := differences(rows):
        files["paired.csv"] = to_csv(compared)
    else:
        (folder / "paired.csv").unlink(missing_ok=True)
    for name, content in files.items():
        temporary = folder / f".{name}.part"
        temporary.write_text(content, encoding="utf-8")
        temporary.replace(folder / name)


def draw_case(case: Case, results: Sequence[tuple[str, Result]]) -> np.ndarray:
    """Draw one case: mixture, guides and truths, then a row of sources and residual for each answer.

    Parameters
    ----------
    case : Case
        The problem.
    results : sequence of (contender, Result)
        Its answers.

    Returns
    -------
    ndarray of shape (Y, X, 3), uint8
    """
    observed = list(case.mixture) if case.mixture.ndim == case.truths.ndim else [case.mixture]
    guides = [guide for guide in case.guides if guide is not None]
    rows = [[*observed, *guides, *case.truths]]
    captions = [
        [
            *(["mixture"] * len(observed)),
            *(["guide"] * len(guides)),
            *(f"truth {k + 1}" for k in range(len(case.truths))),
        ]
    ]
    for contender, result in results:
        answer = case.answer(result)
        scores = score(answer, case.truths, case.null, shares=case.shares, lo=case.lo, hi=case.hi)
        order = scores["assignment"]
        sources = [
            to_display(answer[k], float(np.nanmin(truth)), float(np.nanmax(truth)))
            for k, truth in zip(order, case.truths, strict=True)
        ]
        span = float(np.ptp(case.null))
        residual = result.outputs.get("residual")
        if residual is not None and residual.ndim > case.null.ndim:
            residual = residual[0]
        rows.append([*sources, None if residual is None else to_display(residual, -span / 2, span / 2)])
        captions.append(
            [
                *(
                    f"{contender} {k + 1}\n{p:.1f} dB, offset-free gain {g:+.2f}"
                    for k, (p, g) in enumerate(zip(scores["psnr"], scores["gain_offset_free"], strict=True))
                ),
                "" if residual is None else "residual",
            ]
        )
    return contact_sheet(rows, captions, title=f"{case.group}: {case.name}")
