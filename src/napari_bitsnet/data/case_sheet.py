"""Draw a picture of a case: its images, its true sources, and each answer with its scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.data.case import Case
from napari_bitsnet.data.contact_sheet import contact_sheet, to_display

if TYPE_CHECKING:
    from napari_bitsnet.api import Result


def draw_case(case: Case, results: Sequence[tuple[str, Result]]) -> NDArray[np.uint8]:
    """Draw one case: mixture, guides and truths, then a row of sources and residual for each answer.

    Parameters
    ----------
    case : Case
        The problem; not a film.
    results : sequence of (str, Result)
        Name of each answer, and its result.

    Returns
    -------
    ndarray of shape (Y, X, 3), uint8
    """
    observed = list(case.mixture) if case.mixture.ndim == case.truths.ndim else [case.mixture]
    guides = {k + 1: guide for k, guide in enumerate(case.guides) if guide is not None}
    rows = [[*observed, *guides.values(), *case.truths]]
    captions = [
        [
            *(f"mixture {m + 1}" if len(observed) > 1 else "mixture" for m in range(len(observed))),
            *(f"guide {k}" for k in guides),
            *(f"truth {k + 1}" for k in range(len(case.truths))),
        ]
    ]
    for contender, result in results:
        answer = case.answer(result)
        scores = case.score(answer)
        order = scores["assignment"]
        sources = [
            to_display(answer[k], float(np.nanmin(truth)), float(np.nanmax(truth)))
            for k, truth in zip(order, case.truths, strict=True)
        ]
        span = float(np.ptp(case.null))
        residual = np.asarray(result.outputs["residual"]) if "residual" in result.outputs else None
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
