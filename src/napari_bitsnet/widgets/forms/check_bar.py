"""Check the inputs before a run: alignment of the guides, and whether their fit generalises."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from magicgui.widgets import Container, PushButton
from napari.qt.threading import create_worker
from qtpy.compat import isalive
from qtpy.QtCore import QTimer

from napari_bitsnet.widgets.forms.fields import tooltip
from napari_bitsnet.widgets.forms.notice import Notice
from napari_bitsnet.widgets.forms.rows import Text
from napari_bitsnet.widgets.run.activity import ActivityBar
from napari_bitsnet.widgets.run.request import Request
from napari_bitsnet.widgets.run.responsiveness import step_back

if TYPE_CHECKING:
    from napari_bitsnet.api.checks import Findings

IN_ORDER = "No problems found: the guides are aligned, and the fit generalises to held-out blocks."

TICK_MS = 250
"""Milliseconds between two looks at how far the check is."""


class Progress:
    """Step of a check, written by its thread and read by the form; raises in the check once it is cancelled.

    Attributes
    ----------
    step : str
        A few words on the current step.
    count : int
        Steps so far.
    """

    def __init__(self) -> None:
        self.step, self.count = "", 0
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """End the check before its next step."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """Return True after `cancel`."""
        return self._cancelled.is_set()

    def __call__(self, step: str) -> None:
        if self.cancelled:
            raise ValueError("The check was cancelled.")
        self.step, self.count = step, self.count + 1


class CheckBar(Container):
    """Button that checks the inputs and shows the findings in the notice; during a check it cancels it.

    Parameters
    ----------
    request : callable
        Returns the inputs of a run, or raises `ValueError` or `TypeError` about missing inputs.
    notice : Notice
        Notice for the findings.
    """

    def __init__(self, request: Callable[[], Request], notice: Notice) -> None:
        self._request, self._notice = request, notice
        self._worker: Any = None
        self._progress, self._since = Progress(), 0.0
        self._activity: ActivityBar | None = None
        self.button = PushButton(
            text=CHECK,
            tooltip=tooltip(
                "Fit the guides at reduced size, to test whether they are aligned and whether the fit "
                "generalises to held-out blocks. It takes some seconds."
            ),
        )
        self._line = Text()
        super().__init__(widgets=[self.button, self._line], labels=False)
        self._line.visible = False
        self.margins = (0, 0, 0, 0)
        self._clock = QTimer(self.native)
        self._clock.setInterval(TICK_MS)
        self._clock.timeout.connect(self._tick)
        self.button.changed.connect(lambda _=None: self.cancel() if self.busy else self.check())

    @property
    def busy(self) -> bool:
        """Return True while the inputs are being checked; a cancelled check does not count."""
        return self._worker is not None

    @property
    def line(self) -> str:
        """Return how far the check is; empty without one."""
        return str(self._line.value)

    def check(self) -> None:
        """Check the inputs on another thread and show the findings."""
        if self.busy:
            return
        try:
            request = self._request()
        except (ValueError, TypeError) as error:
            self._notice.say("error", str(error))
            return
        progress = self._progress = Progress()
        self._since = time.monotonic()
        self._activity = ActivityBar("Checking the inputs")
        self.button.text = "Cancel the check"
        self._worker = create_worker(
            findings,
            request,
            progress,
            _connect={
                "returned": lambda found: self._on_returned(progress, found),
                "errored": lambda error: self._on_error(progress, error),
                "finished": lambda: self._on_finished(progress),
            },
        )
        self._clock.start()
        self._tick()

    def cancel(self) -> None:
        """End the check: its thread ends before its next step, and its findings are not shown."""
        if self.busy:
            self._progress.cancel()
            self._end()
            self._notice.say("info", "The check was cancelled.")

    def _tick(self) -> None:
        """Show how far the check is."""
        if self._activity is not None and self._activity.cancelled:
            self.cancel()
            return
        seconds = time.monotonic() - self._since
        self._line.value = f"{self._progress.step or 'Starting'} · {seconds:.0f} s"
        self._line.visible = True
        if self._activity is not None:
            self._activity.update(self._progress.count, STEPS)

    def _on_returned(self, progress: Progress, found: Findings) -> None:
        if not progress.cancelled and isalive(self.native):
            lines = [*(found or [IN_ORDER]), *map(str, found.places)]
            self._notice.say("warning" if found else "info", "\n".join(lines))

    def _on_error(self, progress: Progress, error: Exception) -> None:
        if not progress.cancelled and isalive(self.native):
            self._notice.say("error", str(error))

    def _on_finished(self, progress: Progress) -> None:
        if not progress.cancelled:
            self._end()

    def _end(self) -> None:
        """Show that nothing is being checked."""
        self._worker = None
        if self._activity is not None:
            self._activity.close()
            self._activity = None
        if isalive(self.native):
            self._clock.stop()
            self.button.text = CHECK
            self._line.value, self._line.visible = "", False


CHECK = "Check the inputs"

STEPS = 4
"""Steps of a check of guides; see `napari_bitsnet.api.check`."""


def findings(request: Request, progress: Progress) -> Findings:
    """Check the inputs on the worker's thread; torch's errors must not be lost as `RuntimeError`."""
    from napari_bitsnet.api import check

    step_back()
    mixtures = [part.array for part in request.mixtures]
    try:
        return check(
            request.settings.task,
            mixtures if len(mixtures) > 1 else mixtures[0],
            guides=[None if part is None else part.array for part in request.guides],
            hints=None if request.hints is None else request.hints.array,
            mask=None if request.mask is None else request.mask.array != 0,
            stored=request.stored,
            axes=request.mixtures[0].axes,
            seed=request.settings.seed,
            progress=progress,
            **request.settings.options,
        )
    except RuntimeError as error:
        message = str(error)
    raise ValueError(f"The check failed: {message}")
