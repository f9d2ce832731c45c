"""The runner owns everything about time: budget, stopping rule, stop request and continuation."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from napari_bitsnet.core.notices import Notice
from napari_bitsnet.core.outputs import FEATURES, Output, describe, numbered, source_names, stack_sources
from napari_bitsnet.core.problem import Iteration, Problem, State
from napari_bitsnet.core.stages import Stage
from napari_bitsnet.methods import Method
from napari_bitsnet.tasks import Built, Inputs, Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOG = logging.getLogger(__name__)

NewHints = Callable[[], "NDArray | None"]
"""Called after each iteration; returns new hints (Y, X) since the last call, else None."""


@dataclass
class Session:
    """Run of one plane, with everything that its continuation needs.

    Parameters
    ----------
    task, inputs, built, method, state
        Task, inputs, problem, method, and its current state.
    seconds : float
        Elapsed time, including the start of the method and the last outputs.
    stop_reason : str
        ``"iterations"``, ``"time"``, ``"converged"``, ``"stopped"`` (on request) or ``"finished"``
        (a closed form).
    losses : dict
        Loss terms of the last iteration.
    notices : list of Notice
        Notices about the run itself, such as hints that were left out.
    hints_taken_at : list of int
        Iterations after which hints changed; such a run cannot be repeated from its last hints.
    seed : int
        Seed, for methods that have to start again.
    """

    task: Task
    inputs: Inputs
    built: Built
    method: Method
    state: State
    seconds: float = 0.0
    stop_reason: str = ""
    losses: dict[str, Any] | None = None
    notices: list[Notice] = field(default_factory=list)
    hints_taken_at: list[int] = field(default_factory=list)
    seed: int = 0

    @property
    def problem(self) -> Problem:
        """Return the problem."""
        return self.built.problem

    def planned(self, iterations: int | None) -> int:
        """Return the steps of this run: `iterations` or those of the method, fewer after a warm start."""
        return max(1, round(self.state.share * (iterations or self.method.iterations)))

    def outputs(self) -> dict[str, Output]:
        """Return the named outputs so far, on the host, in the units of the mixture; feature maps (C_f, Y, X)
        unchanged."""
        answer = self.method.solution(self.state)
        outputs = self.task.outputs(self.built, answer)
        kinds = self.method.source_kinds(self.state)
        for name, kind in zip(source_names(outputs), kinds, strict=False):
            if outputs[name].of_source is not None:  # a number, which tells nothing of what it shows
                outputs[name] = replace(outputs[name], caption=f"{outputs[name].caption}: {kind}")
        maps = [each.cpu().numpy() for each in answer.get("features", ())]  # (K, C_f, H, W), on request
        return outputs | describe(numbered(maps, "features"), [FEATURES])

    def finished(self) -> dict[str, Output]:
        """Return the outputs at the end of a run, perhaps at full resolution; their computation counts as
        time of the run."""
        began = time.perf_counter()
        outputs = self.outputs()
        self.seconds += time.perf_counter() - began
        return outputs

    def candidates(self) -> tuple[NDArray, ...]:
        """Return alternative sources (K, Y, X[, C]) in the units of the mixture; most methods have none."""
        others = self.method.alternatives(self.state)
        return tuple(stack_sources(self.task.outputs(self.built, {"sources": shares})) for shares in others)

    def advance(
        self,
        *,
        iterations: int,
        seconds: float | None = None,
        stop: Callable[[], bool] | None = None,
        hints: NewHints | None = None,
        plane: int = 0,
    ) -> Generator[Iteration, None, None]:
        """Advance until a limit, the stopping rule of the method or a stop request, and yield each iteration.

        Each stage (`Method.stages`) is yielded as well, as an `Iteration` that is not done. Limits, stop
        requests and hints are checked there, too.

        Parameters
        ----------
        iterations : int
            Number of additional iterations.
        seconds : float, optional
            Time limit of this call.
        stop : callable, optional
            Called after each iteration and stage. Return True to stop and keep the best result so far, as
            soon as there is one.
        hints : callable, optional
            Source of new hints; see `NewHints`.
        plane : int
            Index in a stack, for the iterations.
        """
        began, before = time.perf_counter(), self.seconds
        total = self.state.step + iterations
        rule = self.method.stopping()
        steps = self.method.stages(self.state)
        self.stop_reason = "iterations"
        if self.state.step == 0 and self.state.has_start:
            yield Iteration(0, total, before, {}, self.outputs, plane)
        while self.state.step < total:
            # where a closed form has nothing to keep yet, it goes on until it has
            has_answer = self.state.step > 0 or self.state.has_start
            if has_answer and stop is not None and stop():
                self.stop_reason = "stopped"
                break
            if has_answer and seconds is not None and time.perf_counter() - began > seconds:
                self.stop_reason = "time"
                break
            steps = self._take(hints, steps)
            losses = next(steps, None)
            if isinstance(losses, Stage):
                self.seconds = before + time.perf_counter() - began
                LOG.debug("slice %d: %s, %.2f s", plane, losses.name, self.seconds)
                yield Iteration(self.state.step, total, self.seconds, {}, self.outputs, plane, losses)
                continue
            if losses is None:
                self.stop_reason = "finished" if self.method.iterations == 1 else "converged"
                break
            self.losses = dict(losses)
            self.seconds = before + time.perf_counter() - began
            yield Iteration(self.state.step, total, self.seconds, losses, self.outputs, plane)
            if rule is not None and rule.update(self.method.solution(self.state)["sources"]):
                self.stop_reason = "converged"
                break
        self.seconds = before + time.perf_counter() - began
        LOG.info(
            "slice %d: %s at iteration %d, %.2f s", plane, self.stop_reason, self.state.step, self.seconds
        )

    def take_hints(self, labels: NDArray | None) -> None:
        """Continue with new hints: networks refine with them, and closed forms are solved again.

        Parameters
        ----------
        labels : integer array of shape (Y, X), optional
            k for source k, 0 for unknown; None for no hints.

        Raises
        ------
        ValueError
            If the task cannot work with them.
        """
        from napari_bitsnet.methods.wrappers.obeying import with_hints

        inputs = replace(self.inputs, hints=labels)
        built = self.task.build(inputs)
        problem = built.problem
        method = with_hints(self.method, problem)
        device = str(self.state.problem.observations.device)
        taken_at = self.state.step
        if method is None or self.method.reads_hints:
            method = method or self.method
            self.state = method.start(problem.to(device), device=device, seed=self.seed)
        else:
            method.update_hints(self.state, None if problem.hints is None else problem.hints.to(device))
        self.hints_taken_at.append(taken_at)
        self.inputs, self.method, self.built = inputs, method, built

    def _take(
        self, hints: NewHints | None, steps: Iterator[Stage | dict[str, Any]]
    ) -> Iterator[Stage | dict[str, Any]]:
        """Use new hints; if they cannot be used, a notice is added and the run continues as before."""
        labels = None if hints is None else hints()
        if labels is None:
            return steps
        from napari_bitsnet.methods.wrappers.obeying import Obeying

        before = self.state
        try:
            self.take_hints(labels)
        except ValueError as error:
            self.notices.append(Notice("hints", f"Hints were left out. {error}"))
            return steps
        # hints that change the answer alone leave an iteration that is under way as it is
        return (
            steps
            if self.state is before and isinstance(self.method, Obeying)
            else self.method.stages(self.state)
        )
