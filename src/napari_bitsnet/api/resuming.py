"""Continue from a result."""

from __future__ import annotations

from typing import Any

from napari_bitsnet.api.notices import plane_notices
from napari_bitsnet.api.provenance import record_provenance
from napari_bitsnet.api.result import Result
from napari_bitsnet.api.runner import NewHints, Session
from napari_bitsnet.api.running import Run, Stop, explain_full_memory
from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.core.arrays import as_array


def iter_resume(
    result: Result,
    *,
    iterations: int = 500,
    stop: Stop | None = None,
    hints: Any = None,
    new_hints: NewHints | None = None,
) -> Run:
    """Continue from a result, yield each iteration and return the new `Result`.

    Parameters
    ----------
    result : Result
        Result of a single image, with its state.
    iterations : int
        Number of additional iterations.
    stop : callable, optional
        As in `iter_run`.
    hints : integer array of shape (Y, X), optional
        New hints: networks continue with them, and closed forms are solved again.
    new_hints : callable, optional
        As in `iter_run`.

    Raises
    ------
    ValueError
        If the result has no state: it was dropped, or belongs to a stack.
    """
    session = result.state
    if session is None:
        raise ValueError(
            "Expected a result with its state, got one without (dropped, or of a stack): run again with "
            "more iterations."
        )
    settings = RunSettings.model_validate(result.provenance["settings"])
    if hints is not None:
        session.take_hints(as_array(hints, "hints", labels=True))
    settings = settings.updated({"iterations": session.state.step + iterations})
    device = result.provenance["device"]
    height, width = session.problem.observations.shape[-2:]
    run = _advance_further(settings, session, iterations, stop, new_hints, device)
    more = yield from explain_full_memory(run, min(height * width, settings.size_limit**2), device)
    more.mixture, more.guides = result.mixture, result.guides
    return more


def _advance_further(
    settings: RunSettings,
    session: Session,
    iterations: int,
    stop: Stop | None,
    new_hints: NewHints | None,
    device: str,
) -> Run:
    yield from session.advance(iterations=iterations, stop=stop, hints=new_hints)
    outputs = session.finished()
    notices = plane_notices(session, outputs)
    provenance = record_provenance(settings, session, session.seconds, notices, device)
    return Result(outputs, provenance, tuple(notices), session)
