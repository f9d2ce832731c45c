"""Bar of a run in napari's activity dock, with a Cancel button.

Its signals build Qt widgets in the calling thread, so it is made and updated on the main thread only; and it
must always be closed: a bar that was left open can keep later ones from showing.
"""

from __future__ import annotations

from napari.utils.progress import cancelable_progress


class ActivityBar:
    """Bar that opens at the start of a run and closes whenever the run ends."""

    def __init__(self, description: str) -> None:
        self._bar: cancelable_progress | None = cancelable_progress(total=0, desc=description)

    @property
    def cancelled(self) -> bool:
        """Return True if the Cancel button was pressed."""
        return self._bar is not None and bool(self._bar.is_canceled)

    def update(self, step: int, total: int) -> None:
        """Show that `step` of `total` iterations are done."""
        if self._bar is None or total < 2:  # of a closed form nothing can be counted
            return
        if self._bar.total != total:
            self._bar.total = total
        self._bar.update(step - self._bar.n)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
