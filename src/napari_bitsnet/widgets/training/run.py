"""One training in the viewer: the worker, the picture of held-out examples, and what happens on every way out of it."""

from __future__ import annotations

import atexit
import contextlib
from collections.abc import Sequence
from typing import Any

from napari.qt.threading import create_worker
from psygnal import Signal

from napari_bitsnet.widgets.alive import is_open
from napari_bitsnet.widgets.run.activity import ActivityBar
from napari_bitsnet.widgets.run.states import RunState, RunStates
from napari_bitsnet.widgets.run.worker import Message, SeparationFailed
from napari_bitsnet.widgets.training.request import TrainingRequest
from napari_bitsnet.widgets.training.worker import (
    Trained,
    TrainingControls,
    TrainingMessage,
    train_networks,
)

PICTURE = "Held-out examples"
"""Name of the layer that shows how far the networks are."""

WIDTH = 640
"""Width of that layer in the viewer, whatever the size of its pictures."""


class Training:
    """A training and its layer; it knows nothing of docks, which may vanish while it goes on.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the picture of held-out examples is shown.
    request : TrainingRequest
        What to train on, and how.
    """

    progressed = Signal(Message)
    ended = Signal(object)
    """Emitted with a `Trained`, a `SeparationFailed`, or None where napari made the worker quit."""

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
        """Begin."""
        self.states.to(RunState.PREPARING)
        self._activity = ActivityBar("Training networks")
        _under_way.add(self)
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
        """End after the current step; the weights so far are written."""
        self._controls.stop.set()
        if self.states.current in (RunState.PREPARING, RunState.RUNNING):
            self.states.to(RunState.STOPPING)

    def let_go(self) -> None:
        """Stop and keep, and show nothing any more: the dock or the viewer is gone."""
        self._alone = True
        self.stop_and_keep()

    def keep(self) -> None:
        """Write the weights of a training that stands between two steps; of one that computes, do nothing."""
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
        """Put a picture into the layer, which is made once; where it was deleted, show none."""
        scale = (WIDTH / picture.shape[1],) * 2
        if self.layer is None:
            self.layer = self._viewer.add_image(picture, rgb=True, name=PICTURE, scale=scale)
        elif self.layer in self._viewer.layers:
            self.layer.data = picture
            self.layer.scale = scale

    def _on_outcome(self, outcome: Trained | SeparationFailed) -> None:
        self._outcome = outcome

    def _on_finished(self) -> None:
        """Clean up, whatever happened."""
        if self._activity is not None:
            self._activity.close()
        self._activity, self._worker = None, None
        self.keep()
        _under_way.discard(self)
        self.states.to(RunState.IDLE)
        self.ended.emit(self._outcome)


_under_way: set[Training] = set()
"""Keeps trainings alive whose dock was closed."""


def trainings_under_way() -> Sequence[Training]:
    """Return the trainings of this process that have not ended."""
    return tuple(_under_way)


@atexit.register
def keep_all() -> None:
    """Write the weights of trainings that napari has made quit as it closed."""
    for training in trainings_under_way():
        training.keep()
