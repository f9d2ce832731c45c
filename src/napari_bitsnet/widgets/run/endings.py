"""What the dock says when a run has ended, and what it offers to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_bitsnet.methods import METHODS
from napari_bitsnet.widgets.forms.notice import Action
from napari_bitsnet.widgets.run.bar import clock
from napari_bitsnet.widgets.run.separation import Outcome

if TYPE_CHECKING:
    from napari_bitsnet.widgets.task_widget import TaskWidget

REASONS = {
    "iterations": "Done",
    "finished": "Done",
    "converged": "Done, no longer getting better",
    "time": "Time limit reached",
    "stopped": "Stopped",
}


def summary(outcome: Outcome) -> str:
    """One line on how the run ended."""
    if outcome.kind == "discarded":
        return "Discarded."
    if outcome.result is None:
        return ""
    made = outcome.result.provenance
    reason = REASONS.get(made["stop_reason"], made["stop_reason"])
    count = f"{made['iterations']} iterations, " if (made["iterations"] or 0) > 1 else ""
    return (
        f"{reason}: {count}{clock(made['seconds'])}, {METHODS.get(made['method']).title} on {made['device']}."
    )


def show_ending(widget: TaskWidget, outcome: Outcome) -> None:
    """Say in the dock what is to be known about an outcome, with buttons."""
    if outcome.kind == "failed" and outcome.error is not None:
        widget.notice.say("error", outcome.error.message, _retries(widget, outcome))
        return
    texts = [*(outcome.result.warnings if outcome.result is not None else ()), *outcome.remarks]
    if outcome.kind != "discarded" and texts:
        alone = any(text.startswith(("Not separable", "Hardly told apart")) for text in texts)
        widget.notice.say("warning", " ".join(texts), _ways_out(widget) if alone else ())


def _retries(widget: TaskWidget, outcome: Outcome) -> list[Action]:
    """After a full memory: the same at half the size, or on the CPU."""
    if outcome.error is None or outcome.error.kind != "memory" or widget.separation is None:
        return []
    control, half = widget.control, widget.separation.request.half_size()
    actions: list[Action] = [("Retry at half the size", lambda: control.retry(size_limit=half))]
    if widget.device.value != "cpu":
        actions.append(("Retry on the CPU", lambda: control.retry(device="cpu")))
    return actions


def _ways_out(widget: TaskWidget) -> list[Action]:
    """What can be added to an image that cannot be separated alone."""
    actions: list[Action] = []
    tasks = widget.task.names()
    if widget.task.task_name != "xray" and "xray" in tasks:
        actions.append(("Add a guide", lambda: widget.task.apply("xray", {})))
    if "hints" in widget.inputs.names():
        actions.append(("Paint hints", widget.paint_hints))
    if widget.task.task_name != "multi_mixture" and "multi_mixture" in tasks:
        actions.append(("Add a second mixture", lambda: widget.task.apply("multi_mixture", {})))
    return actions
