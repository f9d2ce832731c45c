"""Buttons and progress of a training."""

from __future__ import annotations

from napari_bitsnet.widgets.forms.fields import tooltip
from napari_bitsnet.widgets.run.bar import RunBar, clock, total_loss
from napari_bitsnet.widgets.run.sparkline import Sparkline
from napari_bitsnet.widgets.run.states import RunState
from napari_bitsnet.widgets.run.worker import Message
from napari_bitsnet.widgets.training.worker import TrainingMessage


class TrainingBar(RunBar):
    """Buttons *Train* and *Stop & keep*, and the progress; there is nothing to discard, and the picture is
    always live."""

    def __init__(self) -> None:
        super().__init__(
            Sparkline(logarithmic=False)
        )  # the losses of most trainers are logarithms themselves
        self.run.text = "Train"
        self.run.tooltip = tooltip("Train on the images above, or continue a training that was stopped.")
        self.stop.tooltip = tooltip("End after this step and write the weights.")

    @property
    def points(self) -> list[tuple[int, float]]:
        """Return the steps and losses of the curve."""
        return self._curve.points

    def show_state(self, state: RunState) -> None:
        """Show the buttons that work in this state."""
        super().show_state(state)
        self.throw.visible = self.live.visible = False

    def show_progress(self, message: Message) -> None:
        """Show a message of the worker."""
        super().show_progress(message)
        if isinstance(message, TrainingMessage):
            self._line.value = training_line(message)


def training_line(message: TrainingMessage) -> str:
    """Return ``"step 420 of 800 · 0:38 left · loss -0.412 · held-out gain (dB) 1.23"``."""
    parts = [f"step {message.step} of {message.total}"]
    if message.left is not None:
        parts.append(f"{clock(message.left)} left")
    parts.append(f"loss {total_loss(message):.3f}")
    for name, value in list(message.scores.items())[:1]:
        parts.append(f"held-out {name} {value:.3g}")
    return " · ".join(parts)
