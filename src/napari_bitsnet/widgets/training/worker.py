"""Train networks on the worker's thread: prepare the data, make the steps and keep the weights.

No napari and no Qt object is touched here; see `worker` for the traps that this avoids.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from napari_bitsnet.api.training import train
from napari_bitsnet.widgets.run.worker import (
    NUMBERS_EVERY,
    Controls,
    Message,
    Turn,
    free_device_memory,
    guarded,
)
from napari_bitsnet.widgets.training.request import TrainingRequest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_bitsnet.training.records import Progress


@dataclass(frozen=True)
class TrainingMessage(Message):
    """Message of the worker about one step.

    Parameters
    ----------
    scores : dict of str to float
        Latest scores on held-out images; see `Progress`.
    picture : ndarray of shape (Y, X, 3), optional
        uint8: held-out examples; see `Progress`.
    """

    scores: dict[str, float] = field(default_factory=dict)
    picture: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Trained:
    """Result of a training.

    Parameters
    ----------
    output : Path
        The weights.
    stopped : bool
        Whether the training was stopped before its end.
    last : TrainingMessage, optional
        Message of the last step; None without any step.
    note : str
        That the training was finished before, with its last step.
    """

    output: Path
    stopped: bool
    last: TrainingMessage | None = None
    note: str = ""


@dataclass
class TrainingControls(Controls):
    """Requests of the viewer to the worker, and the training, which is closed by the thread that notices its
    end."""

    steps: Generator[Progress, None, None] | None = None

    def close(self) -> None:
        """Write the weights and a checkpoint if the training is between two steps, and release the device."""
        try:
            if self.steps is not None:
                self.steps.close()
        finally:
            if self.turn is not None:
                self.turn.give_back()


TrainingMessages = Generator[Message, None, Trained]


@guarded
def train_networks(request: TrainingRequest, controls: TrainingControls) -> TrainingMessages:
    """Train to the end or until a stop request, and write the weights in both cases.

    Napari shows the name of this function in its dialog if it is closed during a training.
    """
    try:
        yield Message("Checking the images…")
        request.check()
        yield Message("Loading PyTorch…")
        from napari_bitsnet.core.device import resolve_device

        controls.turn = Turn(resolve_device(request.device))
        while not controls.turn.take(timeout=0.2):
            yield Message("Waiting for another run on this device…")
            if controls.stop.is_set():
                return Trained(request.output, stopped=True)
        try:
            trained = yield from _training(request, controls)
        finally:
            controls.close()
    except OSError as error:
        raise ValueError(_in_words(error)) from None
    free_device_memory()
    return trained


def _training(request: TrainingRequest, controls: TrainingControls) -> TrainingMessages:
    """Make the steps; pass on at most ten messages a second, and every validation."""
    message: TrainingMessage | None = None
    note = ""
    shown = -float("inf")
    # kept where it can be closed also after napari has made the worker quit, which closes no generator
    controls.steps = train(
        request.trainer, request.data, request.output, request.config, device=request.device
    )
    for progress in controls.steps:
        if controls.stop.is_set():
            message = message if progress.note else _message(progress, message)
            controls.steps.close()
            return Trained(request.output, stopped=True, last=message)
        is_due = time.monotonic() - shown > NUMBERS_EVERY
        if not progress.note:
            message = _message(progress, message)
        elif progress.step:
            note = progress.note
        if is_due or progress.picture is not None:
            yield Message(progress.note) if message is None else message
            shown = time.monotonic()
    return Trained(request.output, stopped=False, last=message, note=note)


def _message(progress: Progress, before: TrainingMessage | None) -> TrainingMessage:
    """Convert a step to a message of a run; its total follows from the elapsed and the remaining time."""
    done = progress.seconds / ((progress.seconds + progress.seconds_left) or 1.0)
    return TrainingMessage(
        step=progress.step,
        total=max(progress.step, round(progress.step / max(done, 1e-9))),
        elapsed=progress.seconds,
        left=progress.seconds_left,
        losses={"total": progress.loss},
        scores=progress.scores or (before.scores if before is not None else {}),
        picture=progress.picture,
    )


def _in_words(error: OSError) -> str:
    """Return the message of an error of a file or folder."""
    if error.errno is None:
        return str(error)
    return f"Expected to read and write {error.filename}, got: {error.strerror}."
