"""What the viewer's tests share: an open dock, and runs that are as fast and as broken as a test wants."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from napari.components import ViewerModel
from napari.layers import Labels

from napari_bitsnet.api.result import Result
from napari_bitsnet.core.notices import Notice
from napari_bitsnet.core.problem import Iteration
from napari_bitsnet.methods import METHODS
from napari_bitsnet.tasks import TASKS
from napari_bitsnet.widgets import remembered, task_widget
from napari_bitsnet.widgets.forms.device_box import DeviceBox
from napari_bitsnet.widgets.preferences import Preferences
from napari_bitsnet.widgets.run.request import Request
from napari_bitsnet.widgets.run.separation import runs_under_way
from tests.described import described


@pytest.fixture(autouse=True)
def _viewer_can_draw(_without_gl):
    """Every test here may add image layers."""


@pytest.fixture(scope="session")
def _labels_loaded():
    """What the first Labels layer loads changes this thread's number of threads, and no other's."""
    Labels(np.zeros((2, 2), np.uint8))


@pytest.fixture(autouse=True)
def _same_threads(_labels_loaded):
    """A run here and one on a worker's thread add in the same order, so that their numbers can be
    compared."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _no_device_look_up(monkeypatch):
    """Opening a dock loads neither PyTorch nor pandas on another thread, which could outlive the test."""
    monkeypatch.setattr(DeviceBox, "look", lambda self: None)
    monkeypatch.setattr(task_widget, "load_drawing", lambda: None)


@pytest.fixture(autouse=True)
def _default_preferences(monkeypatch):
    """What the person running the tests has set in napari does not matter."""
    monkeypatch.setattr(task_widget, "preferences", Preferences)


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch, tmp_path):
    """Nor what was used last, nor is it changed."""
    monkeypatch.setattr(remembered, "folder", lambda: tmp_path / "remembered")


@pytest.fixture(autouse=True)
def _all_runs_end(qtbot):
    yield
    qtbot.waitUntil(lambda: not runs_under_way(), timeout=60_000)


def make_state() -> Any:
    """Stands in for a session: two sources of one image."""
    problem = SimpleNamespace(n_sources=2, mixing=SimpleNamespace(name="linear"))
    method = METHODS.get("bitsnet")
    return SimpleNamespace(
        problem=problem,
        task=TASKS.get("separate")(),
        method=method(method.Config()),
        candidates=lambda: (),
    )


@dataclass
class FakeRun:
    """Stands in for a real run: halves of the mixture, one iteration after the other, as told.

    Parameters
    ----------
    steps : int
        Iterations until it ends by itself.
    hold_at : int, optional
        Iteration after which it waits for `go` (or a stop request).
    error : Exception, optional
        Raised after `hold_at`, or at the start.
    warnings : tuple of str
        Of the result.

    Attributes
    ----------
    calls : list of Request
        What was asked.
    hints : list of ndarray
        Those that came while it ran.
    state : object
        Of the result.
    """

    steps: int = 5
    hold_at: int | None = None
    error: Exception | None = None
    warnings: tuple[str, ...] = ()
    go: threading.Event = field(default_factory=threading.Event)
    calls: list[Request] = field(default_factory=list)
    hints: list[np.ndarray] = field(default_factory=list)
    state: Any = field(default_factory=make_state)

    def iterate(
        self, request: Request, stop: Callable[[], bool], new_hints: Callable[[], Any] | None = None
    ) -> Iterator[Iteration]:
        """As `Request.iterate`."""
        self.calls.append(request)
        mixture = np.asarray(request.mixtures[0].array, dtype=np.float32)
        arrays = {"source_1": mixture * 0.25, "source_2": mixture * 0.75, "residual": mixture * 0}
        axes = request.mixtures[0].axes
        outputs = described("separate", arrays, axes if len(axes) > 2 else None)
        plane_axes = axes[len(axes.removesuffix("C")) - 2 :]
        first_plane = described(
            "separate",
            {name: array.reshape(-1, *array.shape[-len(plane_axes) :])[0] for name, array in arrays.items()},
            plane_axes if len(plane_axes) > 2 else None,
        )
        if self.error is not None and self.hold_at is None:
            raise self.error
        done, reason = 0, "iterations"
        for step in range(self.steps + 1):
            yield Iteration(step, self.steps, 0.01 * step, {"total": 1 / (1 + step)}, lambda: first_plane)
            done = step
            self._look_for_hints(new_hints)
            if step == self.hold_at:
                while not self.go.wait(0.01) and not stop():
                    self._look_for_hints(new_hints)
                    yield Iteration(step, self.steps, 0.01 * step, {"total": 1.0}, lambda: first_plane)
                if self.error is not None:
                    raise self.error
            if stop():
                reason = "stopped"
                break
        provenance = {
            "task": request.settings.task,
            "method": request.settings.method,
            "preset": request.settings.preset,
            "task_settings": {"mixing": "linear"},
            "settings": request.settings.model_dump(mode="json"),
            "device": "cpu",
            "iterations": done,
            "seconds": 0.1,
            "stop_reason": reason,
            "warnings": list(self.warnings),
        }
        notices = tuple(Notice("test", text) for text in self.warnings)
        return Result(outputs, provenance, notices, self.state)

    def _look_for_hints(self, new_hints: Callable[[], Any] | None) -> None:
        labels = None if new_hints is None else new_hints()
        if labels is not None:
            self.hints.append(labels)


@pytest.fixture
def fake_run(monkeypatch) -> FakeRun:
    """Replace real runs."""
    fake = FakeRun()
    monkeypatch.setattr(
        Request, "iterate", lambda request, stop, new_hints=None: fake.iterate(request, stop, new_hints)
    )
    return fake


@dataclass
class Dock:
    """The form for one image, in a viewer or not."""

    viewer: Any
    widget: Any
    wrapper: Any
    qtbot: Any

    def names(self) -> list[str]:
        """Names of the viewer's layers."""
        return [layer.name for layer in self.viewer.layers]

    def wait(self, condition: Callable[[], bool]) -> None:
        """Let Qt work until the condition holds."""
        self.qtbot.waitUntil(condition, timeout=60_000)

    def wait_idle(self) -> None:
        """Let Qt work until no run is under way."""
        self.wait(lambda: not self.widget.busy)


@pytest.fixture
def image() -> np.ndarray:
    """A small image with edges."""
    rng = np.random.default_rng(0)
    return np.kron(rng.random((6, 8)), np.ones((4, 4))).astype(np.float32)


@pytest.fixture
def undocked(qtbot, image) -> Dock:
    """The form on layers without a window: faster, for all that needs no window."""
    viewer = ViewerModel()
    viewer.add_image(image, name="painting", scale=(0.5, 0.25))
    widget = task_widget.TaskWidget(viewer)
    return Dock(viewer, widget, None, qtbot)


@pytest.fixture
def dock(make_napari_viewer_proxy, qtbot, image) -> Dock:
    """The dock in a real viewer, opened as a user does."""
    viewer = make_napari_viewer_proxy()
    viewer.add_image(image, name="painting", scale=(0.5, 0.25))
    wrapper, widget = viewer.window.add_plugin_dock_widget("napari-bitsnet")
    return Dock(viewer, widget, wrapper, qtbot)
