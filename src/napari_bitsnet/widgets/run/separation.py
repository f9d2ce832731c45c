"""One run in the viewer: the worker, its live layers, its bar, and every way that it can end.

It does not depend on forms and docks: they start it, listen to it and may close during the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.qt.threading import create_worker
from psygnal import Signal

from napari_bitsnet.widgets.alive import is_open
from napari_bitsnet.widgets.layers.parts import Part
from napari_bitsnet.widgets.results.edits import Edits, swapped_name
from napari_bitsnet.widgets.run.activity import ActivityBar
from napari_bitsnet.widgets.run.preview import PreviewLayers, is_layer
from napari_bitsnet.widgets.run.request import Request
from napari_bitsnet.widgets.run.responsiveness import favour_viewer, treat_alike
from napari_bitsnet.widgets.run.states import RunState, RunStates
from napari_bitsnet.widgets.run.turns import in_turns
from napari_bitsnet.widgets.run.under_way import UnderWay
from napari_bitsnet.widgets.run.worker import (
    Controls,
    Iterate,
    Message,
    SeparationFailed,
    free_device_memory,
    separate_layers,
)

if TYPE_CHECKING:
    from napari.layers import Image, Labels

    from napari_bitsnet.api import Result
    from napari_bitsnet.core.outputs import Output

PACKAGE = Path(__file__).parents[2]


@dataclass
class Outcome:
    """End of a run.

    Parameters
    ----------
    kind : str
        ``"done"``, ``"kept"`` (stopped, best so far kept), ``"discarded"`` or ``"failed"``.
    result : Result, optional
        Result of runs that were done or kept.
    layers : list of Image
        Layers of the result, or of the last outputs of a failed run.
    error : SeparationFailed, optional
        Error of a failed run.
    remarks : tuple of str
        Warnings of this package during the run.
    """

    kind: str
    result: Result | None = None
    layers: list[Image] = field(default_factory=list)
    error: SeparationFailed | None = None
    remarks: tuple[str, ...] = ()


class Separation:
    """A run and its layers; can be continued once it has ended.

    Parameters
    ----------
    viewer : napari.Viewer
        Viewer in which layers are added.
    request : Request
        Images and settings, taken at the start.
    live : bool
        Whether layers are updated during the run.
    preview_every : float
        Least number of seconds between two updates.
    """

    progressed = Signal(Message)
    drawn = Signal(list)
    ended = Signal(Outcome)

    def __init__(
        self, viewer: Any, request: Request, *, live: bool = True, preview_every: float = 0.25
    ) -> None:
        self.request = request
        self.states = RunStates()
        self.result: Result | None = None
        self.edits = Edits()  # what was done to the result since
        self._viewer = viewer
        self._preview = PreviewLayers(viewer, request.mixtures)
        self._live, self._preview_every = live, preview_every
        self._controls = Controls()
        self._discard = self._released = False
        self._keep_state = True
        self._activity: ActivityBar | None = None
        self._worker: Any = None
        self._outcome: Outcome | None = None
        self._pending: Message | None = None
        self._showing = self._drawing = False
        self._steps_shown = 0
        self._remarks: list[str] = []

    @property
    def layers(self) -> list[Image]:
        """Return the layers of the run."""
        return self._preview.layers

    def start(self) -> None:
        """Start the run."""
        self._begin(self.request.iterate, f"Separating {self.request.mixtures[0].name}")

    @property
    def has_new_hints(self) -> bool:
        """Return True if there are new hints that the run did not see before its end."""
        return bool(self._controls.hints)

    def take_hints(self, hints: Part) -> None:
        """Pass new hints to the current run, and name them in its record."""
        self.request = replace(self.request, hints=hints)
        self._controls.hints.append(np.asarray(hints.array))

    def resume(self, iterations: int, hints: Part | None = None) -> None:
        """Continue from the result for more iterations, with new hints if they are given.

        Raises
        ------
        ValueError
            If there is no result whose state was kept.
        """
        result = self.result
        if result is None or result.state is None:
            raise ValueError(
                "Expected a finished run whose state was kept, got none: run again with more iterations."
            )

        if hints is not None:
            self.request = replace(self.request, hints=hints)
        labels = None if hints is None else np.asarray(hints.array)

        def iterate(stop: Any, new_hints: Any) -> Any:
            from napari_bitsnet.api import iter_resume

            return iter_resume(result, iterations=iterations, stop=stop, hints=labels, new_hints=new_hints)

        self._begin(iterate, f"Continuing {self.request.mixtures[0].name}")

    def stop_and_keep(self) -> None:
        """End after the current iteration and keep the best result so far."""
        self._controls.stop.set()
        self.states.stop()

    def let_go(self) -> None:
        """End after the current iteration and keep the best so far, but nothing to go on from: nobody
        will."""
        self._keep_state = False
        self.stop_and_keep()
        if self.result is not None:
            self.result.drop_state()

    def remove_layers(self, then: Callable[[], None] = lambda: None) -> None:
        """Remove the layers of an ended run from the viewer, and call `then` afterwards."""
        self._preview.discard(then)

    def discard(self) -> None:
        """End at once: remove the layers, and ignore what the worker finishes in the background."""
        self._discard = True
        self._controls.abandoned.set()
        self._preview.discard()
        self.stop_and_keep()
        self._release(Outcome("discarded"))

    def further_outputs(self) -> dict[str, Output]:
        """Return the images of the result that are not shown at first, by their names."""
        outputs = {} if self.result is None else self.result.outputs
        return {name: o for name, o in outputs.items() if o.layer == "hidden" and is_layer(o)}

    def layer_of(self, name: str) -> Image | Labels | None:
        """Return the layer of an output; None if it has none in the viewer."""
        return self._preview.layer_of(name)

    def layer_name(self, name: str) -> str:
        """Return the name that the layer of an output has, after the two sources may have been swapped."""
        if self.result is None:
            return name
        outputs = self.result.outputs
        shown = swapped_name(outputs, name) if self.edits.swapped else name
        return self._preview.name_of(shown, outputs[shown])

    def show_output(self, name: str, show: bool = True) -> None:
        """Add the layer of an output that is not shown at first, or remove it."""
        layer = self._preview.layer_of(name)
        if not show:
            if layer is not None and layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        elif self.result is not None and layer is None:
            outputs = self.result.outputs
            shown = swapped_name(outputs, name) if self.edits.swapped else name
            record = {**self.request.record(self.result), **self.edits.record()}
            self._preview.add_output(name, outputs[name], record, shown)

    def set_live(self, live: bool) -> None:
        """Turn the updates of the layers on or off, also during a run."""
        self._live = live
        (self._controls.live.set if live else self._controls.live.clear)()

    def _begin(self, iterate: Iterate, description: str) -> None:
        self.states.to(RunState.PREPARING)
        self._controls = Controls(preview_every=self._preview_every)
        self.set_live(self._live)
        self._discard = self._released = False
        self._outcome, self._pending, self._steps_shown = None, None, 0
        self._remarks, self._keep_state = list(self.request.remarks), True
        self._activity = ActivityBar(description)
        favour_viewer()
        runs_under_way.add(self)
        self._worker = create_worker(
            separate_layers,
            iterate,
            self.request.settings.device,
            self._controls,
            _connect={
                "yielded": self._on_message,
                "returned": self._on_returned,
                "errored": self._on_errored,
                "warned": self._on_warned,
                "finished": self._on_finished,
            },
        )

    def _on_message(self, message: Message) -> None:
        """Show the latest message; napari's bar lets Qt handle events, so this may be entered again."""
        self._pending = message
        if self._showing:
            return
        self._showing = True
        try:
            while self._pending is not None:
                latest, self._pending = self._pending, None
                self._show(latest)
        finally:
            self._showing = False

    def _show(self, message: Message) -> None:
        if self._discard or self._activity is None:
            return
        if not is_open(self._viewer):
            self.discard()
            return
        if message.total and self.states.current is RunState.PREPARING:
            self.states.to(RunState.RUNNING)
        if message.outputs is not None and not self._drawing:
            self._drawing = True
            self._steps_shown = max(self._steps_shown, message.step)
            in_turns(self._preview.updating(message.outputs, message.plane), self._on_drawn)
        self.progressed.emit(message)
        if message.total and self._activity is not None:
            self._activity.update(message.step, message.total)
        if self._activity is not None and self._activity.cancelled:
            self.stop_and_keep()

    def _on_drawn(self) -> None:
        self._drawing = False
        self.drawn.emit(self.layers)

    def _on_returned(self, result: Result | None) -> None:
        if self._discard or result is None:
            self._outcome = Outcome("discarded")
            return
        # other sources: their brightness begins anew
        self.result, self.edits = result, Edits(swapped=self.edits.swapped)
        stopped = result.provenance["stop_reason"] == "stopped"
        self._outcome = Outcome("kept" if stopped else "done", result)

    def _on_errored(self, error: SeparationFailed) -> None:
        if self._discard:
            return
        if self._steps_shown:
            self._preview.abandon(self.request.unfinished_record(error.message))
        else:
            self._preview.discard()
        self._outcome = Outcome("failed", layers=self.layers, error=error)

    def _on_warned(self, warning: tuple[Any, ...]) -> None:
        """Collect warnings of this package; during a run, superqt reports the warnings of all threads."""
        message, _, filename, *_ = warning
        if Path(filename).is_relative_to(PACKAGE) and str(message) not in self._remarks:
            self._remarks.append(str(message))

    def _on_finished(self) -> None:
        """Clean up after the worker, and show the final outputs; then the run is over."""
        self._close_activity()
        if self._controls.turn is not None:
            self._controls.turn.give_back()
        self._worker, self._pending = None, None
        result = self._outcome.result if self._outcome is not None else None
        final = iter(()) if result is None else self._finishing(result)
        in_turns(final, self._end)

    def _finishing(self, result: Result) -> Iterator[str]:
        return self._preview.finishing(result.outputs, {**self.request.record(result), **self.edits.record()})

    def _end(self) -> None:
        """Report the outcome after the final layers are shown; without an outcome napari ended the worker."""
        outcome, self._outcome = self._outcome or Outcome("discarded"), None
        runs_under_way.discard(self)
        if not runs_under_way():
            treat_alike()
        if not self._discard and not is_open(self._viewer):
            self._discard = True
        if self._discard:
            outcome = Outcome("discarded")
        elif outcome.result is not None:
            outcome.layers = self.layers
        if not self._keep_state and self.result is not None:
            self.result.drop_state()
            free_device_memory(thorough=False)
        outcome.remarks = tuple(self._remarks)
        self._release(outcome)

    def _release(self, outcome: Outcome) -> None:
        """Report once that the run is over, although the worker of a discarded run may still compute."""
        if self._released:
            return
        self._released = True
        self._close_activity()
        if self._discard:
            self.result = None
        self.states.to(RunState.IDLE)
        self.ended.emit(outcome)

    def _close_activity(self) -> None:
        if self._activity is not None:
            self._activity.close()
            self._activity = None


runs_under_way: UnderWay[Separation] = UnderWay()
