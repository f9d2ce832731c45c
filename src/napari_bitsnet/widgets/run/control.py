"""Control of runs: start them from the form, show them in the bar, and end them with a notice."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from napari.utils.notifications import show_error
from numpy.typing import NDArray
from psygnal import Signal
from qtpy.compat import isalive

from napari_bitsnet.methods import METHODS
from napari_bitsnet.widgets.alive import while_alive
from napari_bitsnet.widgets.forms.notice import Notice
from napari_bitsnet.widgets.forms.problem_form import ProblemForm
from napari_bitsnet.widgets.layers.alignment import plane_shape
from napari_bitsnet.widgets.layers.parts import Part
from napari_bitsnet.widgets.preferences import Preferences
from napari_bitsnet.widgets.run.bar import RunBar
from napari_bitsnet.widgets.run.live_hints import LiveHints
from napari_bitsnet.widgets.run.queue import LayerQueue
from napari_bitsnet.widgets.run.request import Request
from napari_bitsnet.widgets.run.separation import Outcome, Separation
from napari_bitsnet.widgets.run.states import RunState
from napari_bitsnet.widgets.run.worker import free_device_memory

HINTS_CHANGED = "The hints have changed."


class RunControl:
    """Starts, stops, continues and repeats runs; one at a time.

    Parameters
    ----------
    viewer : napari.Viewer
        Viewer in which layers are added.
    form : ProblemForm
        Form with the inputs and settings of runs.
    bar : RunBar
        Buttons and progress.
    notice : Notice
        Message area for failures.
    preferences : Preferences
        Preferences, which have the rate of updates.

    Attributes
    ----------
    separation : Separation or None
        Current run, or the last one.
    queue : LayerQueue or None
        Layers of the current queue; None for single runs.
    """

    ended = Signal(Outcome)
    drawn = Signal(list)  # the run's layers, whenever they have been drawn anew
    refused = Signal()  # an input or a setting of the form is missing or wrong

    def __init__(
        self, viewer: Any, form: ProblemForm, bar: RunBar, notice: Notice, preferences: Preferences
    ) -> None:
        self._viewer, self._form, self._bar, self._notice = viewer, form, bar, notice
        self._preferences = preferences
        self._more = 0
        self._since: float | None = None
        self.separation: Separation | None = None
        self.queue: LayerQueue | None = None
        bar.run_pressed.connect(self.run)
        bar.each_pressed.connect(lambda: self.run_each(form.selected()))
        bar.stop_pressed.connect(self.stop_and_keep)
        bar.discard_pressed.connect(self.discard)
        bar.continue_pressed.connect(self.continue_run)
        bar.live.value = preferences.live
        bar.live.changed.connect(self._set_live)
        form.edited.connect(self.forget)
        form.edited.connect(notice.settle)
        self.hints = LiveHints(bar.native)
        self._taken: NDArray | None = None
        form.inputs.changed.connect(self._follow_hints)
        self.hints.changed.connect(self._on_hints)

    @property
    def busy(self) -> bool:
        """Return True during a run."""
        return self.separation is not None and self.separation.states.busy

    @property
    def can_continue(self) -> bool:
        """Return True if the state of the last run was kept."""
        result = None if self.separation is None else self.separation.result
        return result is not None and result.state is not None and self._more > 0

    def run(self) -> Separation | None:
        """Start a run; return None, with a notice about the reason, if it cannot be started."""
        if self._refuse_if_busy():
            return None
        try:
            request = self._form.request()
        except (ValueError, TypeError) as error:
            self.refused.emit()
            self.complain(str(error))
            return None
        self._form.remember()
        return self._start(request)

    def run_each(self, layers: Sequence[Any]) -> Separation | None:
        """Separate layers one after another, each as the image of the form with all else as shown.

        An error ends the run of its layer only. *Stop & keep* and *Discard* end the current run, and those
        that wait are not started.

        Parameters
        ----------
        layers : sequence of Image
            Images in the order of their runs.

        Returns
        -------
        Separation or None
            The first run; None, with a notice about the reasons, if none can be started.
        """
        if self._refuse_if_busy():
            return None
        queue = LayerQueue(layer.name for layer in layers)
        for layer in layers:
            try:
                queue.waiting.append(self._form.request(layer))
            except (ValueError, TypeError) as error:
                queue.refuse(layer.name, str(error))
        if not queue.waiting:
            self.refused.emit()
            self.complain(queue.messages() or "Select the image layers to run on first.")
            return None
        if queue.errors:
            self.complain(queue.messages())
        self._form.remember()
        self.queue = queue
        return self._start_next(queue)

    def _refuse_if_busy(self) -> bool:
        """Return True, and say so, if a run is under way; else clear the message of the last one."""
        if self.busy:
            self._notice.say("info", "A run is under way: stop it first.")
            return True
        self._notice.clear_message()
        return False

    def _start_next(self, queue: LayerQueue) -> Separation:
        """Start the next run of a queue, with the hints as they are now."""
        request = queue.waiting.popleft()
        mixture = request.mixtures[0]
        if queue.new_hints:
            try:
                request = replace(request, hints=self._form.hints_beside(mixture) or request.hints)
            except ValueError as error:
                remark = f"The new hints were left out. {error}"
                request = replace(request, remarks=(*request.remarks, remark))
        self._bar.show_place(queue.place(mixture.name))
        return self._start(request)

    def _start(self, request: Request) -> Separation:
        """Start a run and follow it."""
        self.forget()
        separation = Separation(
            self._viewer,
            request,
            live=self._bar.live.value,
            preview_every=1 / self._preferences.per_second,
        )
        self.separation = separation
        self._since = time.monotonic()
        self._taken = None if request.hints is None else np.asarray(request.hints.array)
        # lambdas, so that the run keeps what follows it, which has to see when the widgets are gone
        separation.states.changed.connect(lambda state: self._tell(self._on_state, state))
        separation.progressed.connect(lambda message: self._tell(self._bar.show_progress, message))
        separation.drawn.connect(lambda layers: self._tell(self.drawn.emit, layers))
        separation.ended.connect(lambda outcome: self._tell(self._on_ended, outcome))
        separation.start()
        return separation

    def stop_and_keep(self) -> None:
        """End the run after the current iteration and keep the best result so far."""
        if self.separation is not None and self.busy:
            self.separation.stop_and_keep()

    def let_go(self) -> None:
        """End the run of a closed dock; keep its layers and free its memory."""
        if self.separation is not None:
            self.separation.let_go()
        self.forget()

    def discard(self) -> None:
        """End the run and remove its layers."""
        if self.separation is not None and self.busy:
            self.separation.discard()

    def continue_run(self) -> None:
        """Continue the last run with half of its iterations."""
        if self.separation is not None and not self.busy and self.can_continue:
            self._notice.clear_message()
            self.separation.resume(self._more)

    def run_on(self, hints: Part) -> None:
        """Continue the last run with these hints; closed forms are solved again."""
        if self.separation is not None and not self.busy and self.separation.result is not None:
            self._notice.clear_message()
            self._taken = np.asarray(hints.array)
            self.hints.settle()
            self.separation.resume(max(self._more, 1), hints)

    def retry(self, *, size_limit: int | None = None, device: str | None = None) -> None:
        """Run again at a smaller size or on another device, and remove the layers of the failed run.

        Parameters
        ----------
        size_limit : int, optional
            Another working size.
        device : str, optional
            Another device.
        """
        if size_limit is not None:
            options = self._form.run_options
            options.config = options.config.updated({"size_limit": size_limit})
        if device is not None:
            self._form.device.choose(device)
        if self.separation is None:
            self.run()
        else:  # one after the other, so that the new layers get the names of the old ones
            self.separation.remove_layers(then=while_alive(self._bar, self.run))

    def forget(self) -> None:
        """Free the memory of the last run's networks, because the form no longer shows the settings of that
        run."""
        if self.busy:
            return
        result = None if self.separation is None else self.separation.result
        if result is not None and result.state is not None:
            result.drop_state()
            free_device_memory(thorough=False)
        self._bar.offer_continue(False)

    def complain(self, text: str) -> None:
        """Show an error in the dock and as a notification."""
        if isalive(self._notice.native):
            self._notice.say("error", text)
            text = self._notice.text  # as the form puts it
        show_error(text)

    def _follow_hints(self, *_: Any) -> None:
        self.hints.follow((self._form.inputs.chosen("hints") or [None])[0])

    def _on_hints(self) -> None:
        """Pass painted hints to the current run, or offer to continue with them."""
        run = self.separation
        if run is None:
            return
        try:
            hints = self._form.hints_beside(run.request.mixtures[0])
        except ValueError as error:
            self._notice.say("warning", f"The hints were left out. {error}")
            return
        before = 0 if self._taken is None else self._taken
        if hints is None or np.array_equal(hints.array, np.broadcast_to(before, hints.array.shape)):
            if self._notice.text == HINTS_CHANGED:  # they have been changed back
                self._notice.clear_message()
            return
        if self.busy:
            self._taken = np.asarray(hints.array)
            run.take_hints(hints)
            if self.queue is not None:
                self.queue.new_hints = True
            self._bar.show_note("New hints taken up.")
        elif run.result is not None and run.result.state is not None:
            self._notice.say("info", HINTS_CHANGED, [("Go on with them", lambda: self.run_on(hints))])

    def _tell(self, show: Callable[[Any], None], what: Any) -> None:
        """Pass on a signal of the run; after the viewer has closed, end the run instead."""
        if isalive(self._bar.native):
            show(what)
        elif self.separation is not None:
            self.separation.let_go()

    def _learn(self, outcome: Outcome) -> None:
        """Remember the time of a run, from Run to its end, for the next estimate."""
        since, self._since = self._since, None
        if since is None or outcome.result is None or self.separation is None:
            return
        made, mixture = outcome.result.provenance, self.separation.request.mixtures[0]
        self._form.estimate.learn(
            self.separation.request.settings,
            plane_shape(mixture),
            time.monotonic() - since,
            n_sources=self._form.task.n_sources,
            n_planes=math.prod(mixture.stack_shape),
            device=made["device"],
            iterations=made["iterations"] or 1,
        )
        self._form.show_estimate()

    def _set_live(self, live: bool) -> None:
        if self.separation is not None:
            self.separation.set_live(live)

    def _on_state(self, state: RunState) -> None:
        self._bar.show_state(state)
        if state is RunState.STOPPING and self.queue is not None:  # asked for here or in napari's own bar
            self.queue.drop()

    def _on_ended(self, outcome: Outcome) -> None:
        self._more = 0
        queue, run = self.queue, self.separation
        name = "" if run is None else run.request.mixtures[0].name
        if queue is not None:
            queue.note(name, outcome)
        if outcome.result is not None and outcome.result.state is not None:
            made = outcome.result.provenance
            refines = "iterations" in METHODS.get(made["method"]).Config.model_fields
            self._more = max(50, round((made["iterations"] or 0) / 20) * 10) if refines else 0
        self._bar.offer_continue(self.can_continue, self._more)
        self._learn(outcome)
        self.ended.emit(outcome)
        if outcome.error is not None:
            message = self._form.in_words(outcome.error.message)
            show_error(message if queue is None else f"{name}: {message}")
        if queue is not None and queue.waiting:
            queue.new_hints |= run is not None and run.has_new_hints
            self._start_next(queue)
            return
        self.queue = None
        self._bar.show_place("")
        if outcome.error is None and run is not None and run.has_new_hints:
            self._taken = None
            self._on_hints()
