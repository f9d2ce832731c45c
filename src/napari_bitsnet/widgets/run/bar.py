"""The buttons below the form, always in sight: Run, Stop & keep, Discard, Continue; and how far a run is.

A second button for Run is there while several layers are selected that can be separated one by one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from magicgui.widgets import CheckBox, Container, ProgressBar, PushButton
from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_bitsnet.widgets.forms.fields import tooltip
from napari_bitsnet.widgets.forms.rows import Text, plain
from napari_bitsnet.widgets.run.sparkline import Sparkline
from napari_bitsnet.widgets.run.states import RunState
from napari_bitsnet.widgets.run.worker import Message

SWEEP = 12
"""Positions of the bar while nothing can be counted: it grows and shrinks through them."""
MOVES = 250
"""Milliseconds between two of them. Qt's own animation redraws the whole window 60 times a second where no
graphics card helps, which takes the processor from the run."""


class RunBar(Container):
    """Buttons and progress; what they do is decided by who listens.

    Parameters
    ----------
    curve : Sparkline, optional
        For the loss; default a logarithmic one.
    """

    run_pressed = Signal()
    each_pressed = Signal()
    stop_pressed = Signal()
    discard_pressed = Signal()
    continue_pressed = Signal()

    def __init__(self, curve: Sparkline | None = None) -> None:
        self.run = PushButton(text="Run", tooltip=tooltip("Separate the image (Ctrl+Enter)."))
        self.stop = PushButton(
            text="Stop && keep", tooltip=tooltip("End the run and keep the best result so far.")
        )
        self.throw = PushButton(text="Discard", tooltip=tooltip("End the run and remove its layers."))
        self.more = PushButton(text="Continue", tooltip=tooltip("Continue the last run."))
        self.each = PushButton(visible=False)
        self._bar = ProgressBar(value=0, min=0, max=SWEEP)
        self._line = Text()
        self._place = Text()
        self.live = CheckBox(text="Live", value=True, tooltip=tooltip("Show the sources during the run."))
        self._curve = Sparkline() if curve is None else curve
        self._buttons = plain([self.more, self.run, self.stop, self.throw], layout="horizontal")
        self.run.native.setStyleSheet("font-weight: bold;")
        self._progress = plain([self._bar, self.live], layout="horizontal")
        super().__init__(
            widgets=[self._progress, self._place, self._line, self._buttons, self.each], labels=False
        )
        self.native.layout().insertWidget(1, self._curve)
        self.margins = (0, 2, 0, 0)
        self._can_continue = self._can_queue = False
        self._place.visible = False
        self._state, self._since, self._note, self._stage = RunState.IDLE, 0.0, "", ""
        self._clock = QTimer(self.native)
        self._clock.setInterval(1000)
        self._clock.timeout.connect(self._tick)
        self._sweep = QTimer(self.native)
        self._sweep.setInterval(MOVES)
        self._sweep.timeout.connect(self._move)
        self._position, self._counted = 0, False
        for button, signal in (
            (self.run, self.run_pressed),
            (self.each, self.each_pressed),
            (self.stop, self.stop_pressed),
            (self.throw, self.discard_pressed),
            (self.more, self.continue_pressed),
        ):
            button.changed.connect(lambda _=None, signal=signal: signal.emit())
        self.show_state(RunState.IDLE)

    @property
    def line(self) -> str:
        """What is said about the run."""
        return str(self._line.value)

    @property
    def progress(self) -> float:
        """Part of the iterations that is done, 0 to 1."""
        return float(self._bar.value / self._bar.max) if self._counted else 0.0

    def offer_continue(self, offer: bool, iterations: int = 0) -> None:
        """Whether the last run can be continued, and by how many iterations."""
        self._can_continue = offer
        self.more.visible = offer
        self.more.text = f"Continue +{iterations}" if offer else "Continue"

    def offer_each(self, names: Sequence[str]) -> None:
        """Offer a run on each of these layers; one layer, or none, is left to the button *Run*."""
        self._can_queue = len(names) > 1
        self.each.text = f"Run on {len(names)} selected layers"
        self.each.tooltip = tooltip(
            "Separate each of the selected images with the same task, method and settings, one after the "
            f"other: {', '.join(names)}."
        )
        self.each.visible = self._can_queue and self._state is RunState.IDLE

    def show_state(self, state: RunState) -> None:
        """Show what can be done in this state."""
        idle = state is RunState.IDLE
        if self._state is RunState.IDLE and not idle:
            self._since = time.monotonic()
        self._state, self._note = state, state.value
        (self._clock.stop if idle else self._clock.start)()
        if idle:
            self._sweep.stop()
        self.run.visible = idle
        self.more.visible = idle and self._can_continue
        self.each.visible = idle and self._can_queue
        self.stop.visible = self.throw.visible = self._progress.visible = not idle
        self._curve.setVisible(not idle and bool(self._curve.points))
        self.stop.enabled = state is not RunState.STOPPING  # Discard stays: it waits for nothing
        self.stop.text = "Stopping…" if state is RunState.STOPPING else "Stop && keep"
        if not idle:
            self._line.visible = True
            self._line.value = state.value
        if state is RunState.PREPARING:
            self._count(0, 0)
            self._stage = ""
            self._curve.clear()

    def show_progress(self, message: Message) -> None:
        """Show a worker's message."""
        if not message.total:
            self._note = message.note
            self._tick()
            return
        self._stage = message.stage
        # of a closed form nothing can be counted: the bar grows and shrinks until it is done
        self._count(message.step, message.total if message.total > 1 else 0)
        if message.stage:
            self._tick()
        else:
            self._line.value = progress_line(message)
        if message.losses:
            self._curve.add(message.step, total_loss(message))
            self._curve.setVisible(True)

    def _count(self, step: int, total: int) -> None:
        """Show a part that is done; of a total of 0 nothing can be counted, and the bar moves."""
        self._counted = total > 0
        if self._counted:
            self._sweep.stop()
            self._bar.max, self._bar.value = total, step
        elif not self._sweep.isActive():
            self._bar.max, self._bar.value, self._position = SWEEP, 0, 0
            self._sweep.start()

    def _move(self) -> None:
        """Let the bar grow or shrink by one position."""
        self._position = (self._position + 1) % (2 * SWEEP)
        self._bar.value = SWEEP - abs(self._position - SWEEP)

    def _tick(self) -> None:
        """Show that time goes on while there are no iterations to count."""
        since = clock(time.monotonic() - self._since)
        if self._state is RunState.RUNNING and self._stage:
            self._line.value = f"{self._stage} · {since}"
        elif self._state in (RunState.PREPARING, RunState.STOPPING):
            self._line.value = f"{self._note} {since}" + (f" · {self._stage}" if self._stage else "")

    def show_place(self, text: str) -> None:
        """Say which of several layers is being separated; empty for a single run."""
        self._place.value = text
        self._place.visible = bool(text)

    def show_note(self, text: str) -> None:
        """Say something until the next iteration is shown."""
        self._line.value = text

    def show_end(self, text: str) -> None:
        """Say how a run ended."""
        self._line.value = text
        self._line.visible = bool(text)


def progress_line(message: Message) -> str:
    """Return ``"iteration 420 of 800 · 0:38 left · loss 0.0123"``."""
    if message.total == 1 and message.step:
        return "Closed form done, making the pictures…"
    parts = [f"iteration {message.step} of {message.total}" if message.step else "closed-form start"]
    if message.left is not None:
        parts.append(f"{clock(message.left)} left")
    if message.losses:
        parts.append(f"loss {total_loss(message):.4g}")
    return " · ".join(parts)


def total_loss(message: Message) -> float:
    """The loss that was minimised: its terms come with their weights."""
    return message.losses.get("total", sum(message.losses.values()))


def clock(seconds: float) -> str:
    """Return ``"0:38"``, or ``"2:05:09"`` from an hour on."""
    minutes, second = divmod(int(seconds + 0.5), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"
