"""Messages and buttons of the dock at the end of a run."""

from __future__ import annotations

from collections.abc import Callable

from napari_bitsnet.methods import METHODS
from napari_bitsnet.widgets.forms.notice import Action, Notice
from napari_bitsnet.widgets.forms.problem_form import ProblemForm
from napari_bitsnet.widgets.run.bar import clock
from napari_bitsnet.widgets.run.control import RunControl
from napari_bitsnet.widgets.run.separation import Outcome

REASONS = {
    "iterations": "Done",
    "finished": "Done",
    "converged": "Done, no further improvement",
    "time": "Time limit reached",
    "stopped": "Stopped",
}


def summary(outcome: Outcome) -> str:
    """Return one line about the end of the run."""
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


def show_ending(
    outcome: Outcome, form: ProblemForm, control: RunControl, notice: Notice, paint_hints: Callable[[], None]
) -> None:
    """Show the warnings or the error of a run in the dock, with buttons for what can be done.

    Of a queue, those of all its runs so far are shown, each with the name of its layer.

    Parameters
    ----------
    outcome : Outcome
        How the run ended.
    form : ProblemForm
        It changes where a button adds an input.
    control : RunControl
        It starts the run again where a button asks for it.
    notice : Notice
        Where the text and the buttons are shown.
    paint_hints : callable
        Called by the button *Paint hints*.
    """
    if control.queue is not None:
        queue = control.queue
        if queue.errors or queue.warnings:
            notice.say("error" if queue.errors else "warning", queue.messages(), lasting=True)
        return
    if outcome.kind == "failed" and outcome.error is not None:
        notice.say("error", outcome.error.message, _retries(outcome, form, control))
        return
    texts = [*(outcome.result.warnings if outcome.result is not None else ()), *outcome.remarks]
    if outcome.kind != "discarded" and texts:
        alone = any(text.startswith(("Not separable", "Hardly told apart")) for text in texts)
        notice.say("warning", " ".join(texts), _ways_out(form, paint_hints) if alone else (), lasting=True)


def _retries(outcome: Outcome, form: ProblemForm, control: RunControl) -> list[Action]:
    """Return buttons for runs that ended for want of memory: half the size, or the CPU."""
    if outcome.error is None or outcome.error.kind != "memory" or control.separation is None:
        return []
    half = control.separation.request.half_size()
    actions: list[Action] = [("Retry at half the size", lambda: control.retry(size_limit=half))]
    if form.device.value != "cpu":
        actions.append(("Retry on the CPU", lambda: control.retry(device="cpu")))
    return actions


def _ways_out(form: ProblemForm, paint_hints: Callable[[], None]) -> list[Action]:
    """Return buttons for the inputs that can be added to an image that cannot be separated alone."""
    actions: list[Action] = []
    task, known = form.task, form.task.names()

    def choose(name: str) -> None:
        task.apply(name, {})
        form.have.unfolded = True

    if task.task_name != "xray" and "xray" in known:
        actions.append(("Add a guide", lambda: choose("xray")))
    if "hints" in form.inputs.names():
        actions.append(("Paint hints", paint_hints))
    if task.task_name != "multi_mixture" and "multi_mixture" in known:
        actions.append(("Add a second mixture", lambda: choose("multi_mixture")))
    return actions
