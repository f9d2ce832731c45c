"""One training in the viewer: the worker, the picture of held-out examples, and every way that it can end."""

from __future__ import annotations

import atexit
import contextlib
from typing import Any

from napari.qt.threading import create_worker
from psygnal import Signal

from napari_bitsnet.widgets.alive import is_open
from napari_bitsnet.widgets.run.activity import ActivityBar
from napari_bitsnet.widgets.run.states import RunState, RunStates
from napari_bitsnet.widgets.run.under_way import UnderWay
from napari_bitsnet.widgets.run.worker import Message, SeparationFailed
from napari_bitsnet.widgets.training.request import TrainingRequest
from napari_bitsnet.widgets.training.worker import (
    Trained,
    TrainingControls,
    TrainingMessage,
    train_networks,
)

PICTURE = "Held-out examples"
"""Name of the layer with the held-out examples."""

WIDTH = 640
"""Width of that layer in the viewer, independent of the size of its pictures."""


class Training:
    """A training and its layer. It does not depend on the dock, which may close during the training.

    Parameters
    ----------
    viewer : napari.Viewer
        Viewer in which the picture of held-out examples is shown.
    request : TrainingRequest
        Inputs and settings.
    """

    progressed = Signal(Message)
    ended = Signal(object)
    """Emitted with a `Trained`, a `SeparationFailed`, or None if napari ended the worker."""

    def __init__(self, viewer: Any, request: TrainingRequest) -> None:
        self.request = request
        self.states = RunStates()
        self.layer: Any = None
        self._viewer = viewer
        self._controls = TrainingControls()
        self._activity: ActivityBar | None = None
        self._worker: Any = None
        self._outcome: Trained | SeparationFailed | None = None
        self._alone = False

    def start(self) -> None:
        """Start the training."""
        self.states.to(RunState.PREPARING)
        self._activity = ActivityBar("Training networks")
        trainings_under_way.add(self)
        self._worker = create_worker(
            train_networks,
            self.request,
            self._controls,
            _connect={
                "yielded": self._on_message,
                "returned": self._on_outcome,
                "errored": self._on_outcome,
                "finished": self._on_finished,
            },
        )

    def stop_and_keep(self) -> None:
        """End after the current step and write the weights."""
        self._controls.stop.set()
        self.states.stop()

    def let_go(self) -> None:
        """Stop and keep, and show nothing further, because the dock or the viewer has closed."""
        self._alone = True
        self.stop_and_keep()

    def keep(self) -> None:
        """Write the weights if the training is between two steps; do nothing during a step."""
        with contextlib.suppress(ValueError):  # "generator already executing"
            self._controls.close()

    def _on_message(self, message: Message) -> None:
        if self._activity is None:
            return
        if self._activity.cancelled:
            self.stop_and_keep()
        if message.total and self.states.current is RunState.PREPARING:
            self.states.to(RunState.RUNNING)
        self.progressed.emit(message)
        if not is_open(self._viewer):
            self.let_go()
        if self._alone:
            return
        if isinstance(message, TrainingMessage) and message.picture is not None:
            self._show(message.picture)
        if message.total:
            self._activity.update(message.step, message.total)

    def _show(self, picture: Any) -> None:
        """Show a picture in the layer, which is created once; show none if the layer was deleted."""
        scale = (WIDTH / picture.shape[1],) * 2
        if self.layer is None:
            self.layer = self._viewer.add_image(picture, rgb=True, name=PICTURE, scale=scale)
        elif self.layer in self._viewer.layers:
            self.layer.data = picture
            self.layer.scale = scale

    def _on_outcome(self, outcome: Trained | SeparationFailed) -> None:
        self._outcome = outcome

    def _on_finished(self) -> None:
        """Clean up after the training, also after an error."""
        if self._activity is not None:
            self._activity.close()
        self._activity, self._worker = None, None
        self.keep()
        trainings_under_way.discard(self)
        self.states.to(RunState.IDLE)
        self.ended.emit(self._outcome)


trainings_under_way: UnderWay[Training] = UnderWay()


@atexit.register
def keep_all() -> None:
    """Write the weights of trainings that napari has ended by closing."""
    for training in trainings_under_way():
        training.keep()
