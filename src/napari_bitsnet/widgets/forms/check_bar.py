"""Check the inputs before a run: alignment of the guides, and whether their fit generalises."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from magicgui.widgets import Container, PushButton
from napari.qt.threading import create_worker
from qtpy.compat import isalive

from napari_bitsnet.widgets.forms.fields import tooltip
from napari_bitsnet.widgets.forms.notice import Notice
from napari_bitsnet.widgets.run.request import Request
from napari_bitsnet.widgets.run.responsiveness import step_back

if TYPE_CHECKING:
    from napari_bitsnet.api.checks import Findings

IN_ORDER = "No problems found: the guides are aligned, and the fit generalises to held-out blocks."


class CheckBar(Container):
    """Button that checks the inputs and shows the findings in the notice.

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
        self.button = PushButton(
            text="Check the inputs",
            tooltip=tooltip(
                "Fit the guides at reduced size, to test whether they are aligned and whether the fit "
                "generalises to held-out blocks. It takes some seconds."
            ),
        )
        super().__init__(widgets=[self.button], labels=False)
        self.margins = (0, 0, 0, 0)
        self.button.changed.connect(lambda _=None: self.check())

    @property
    def busy(self) -> bool:
        """Return True while the inputs are being checked."""
        return self._worker is not None

    def check(self) -> None:
        """Check the inputs on another thread and show the findings."""
        if self.busy:
            return
        try:
            request = self._request()
        except (ValueError, TypeError) as error:
            self._notice.say("error", str(error))
            return
        self.button.enabled, self.button.text = False, "Checking…"
        self._worker = create_worker(
            findings,
            request,
            _connect={
                "returned": self._on_returned,
                "errored": self._on_error,
                "finished": self._on_finished,
            },
        )

    def _on_returned(self, found: Findings) -> None:
        if isalive(self.native):
            lines = [*(found or [IN_ORDER]), *map(str, found.places)]
            self._notice.say("warning" if found else "info", "\n".join(lines))

    def _on_error(self, error: Exception) -> None:
        if isalive(self.native):
            self._notice.say("error", str(error))

    def _on_finished(self) -> None:
        self._worker = None
        if isalive(self.native):
            self.button.enabled, self.button.text = True, "Check the inputs"


def findings(request: Request) -> Findings:
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
            **request.settings.options,
        )
    except RuntimeError as error:
        message = str(error)
    raise ValueError(f"The check failed: {message}")
