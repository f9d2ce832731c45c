"""The dock: what you have, how to take it apart, where to compute, and a run with its live layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import Container
from napari.utils.notifications import show_error
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QFrame, QScrollArea

from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.widgets.device_box import DeviceBox
from napari_bitsnet.widgets.endings import show_ending, summary
from napari_bitsnet.widgets.form import ConfigForm
from napari_bitsnet.widgets.layer_inputs import LayerInputs, sample_task
from napari_bitsnet.widgets.method_form import MethodForm
from napari_bitsnet.widgets.notice import Notice
from napari_bitsnet.widgets.part_form import PartForm
from napari_bitsnet.widgets.preferences import preferences
from napari_bitsnet.widgets.request import Request
from napari_bitsnet.widgets.rows import FORM_WIDTH, plain
from napari_bitsnet.widgets.run_bar import RunBar
from napari_bitsnet.widgets.section import Section
from napari_bitsnet.widgets.separation import Outcome, Separation
from napari_bitsnet.widgets.states import RunState
from napari_bitsnet.widgets.task_form import TaskForm
from napari_bitsnet.widgets.view_bar import ViewBar

if TYPE_CHECKING:
    from napari.viewer import Viewer

RUN_OPTIONS = ("seconds", "size_limit", "seed")

LOOK_AFTER_MS = 400
"""Milliseconds after docking at which the devices are asked for, so that the form shows first."""


class TaskWidget(Container):
    """Separate superimposed layers.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Whose layers are worked on.

    Examples
    --------
    >>> _, widget = viewer.window.add_plugin_dock_widget("napari-bitsnet")  # doctest: +SKIP
    >>> widget.task.apply("xray", {})                                      # doctest: +SKIP
    >>> widget.inputs.choose("guides", [front, back])                      # doctest: +SKIP
    >>> widget.run()                                                       # doctest: +SKIP
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        self._viewer = napari_viewer
        self._preferences = preferences()
        self.separation: Separation | None = None
        self._more = 0
        self.task = TaskForm()
        self.inputs = LayerInputs(napari_viewer)
        self.part = PartForm(napari_viewer)
        self.method = MethodForm(preset=self._preferences.preset)
        self.device = DeviceBox(self._preferences.device)
        self.run_options = ConfigForm(RunSettings(size_limit=self._preferences.size_limit), only=RUN_OPTIONS)
        self.notice = Notice()
        self.view = ViewBar(napari_viewer)
        self.bar = RunBar()
        super().__init__(widgets=[self.notice, self.view, self.bar], labels=False)
        self.margins = (6, 6, 6, 6)
        self._lay_out()
        self._connect()
        self._on_task()
        self._task_chosen = False
        self._adopt_sample()

    # --- For scripts -------------------------------------------------------------------------------------

    @property
    def settings(self) -> RunSettings:
        """Everything that determines a run but the images.

        Raises
        ------
        ValueError
            If a field cannot be read or is out of range.
        """
        return self.run_options.config.updated(  # type: ignore[return-value]
            {
                "task": self.task.task_name,
                "options": self.task.changed_options(),
                "method": self.method.resolved,
                "preset": self.method.preset.value,
                "settings": self.method.changes(),
                "device": self.device.value,
            }
        )

    @settings.setter
    def settings(self, settings: RunSettings) -> None:
        self.task.apply(settings.task, settings.options)
        self.method.apply(settings.method, settings.preset, settings.settings)
        self.run_options.config = settings

    @property
    def busy(self) -> bool:
        """Whether a run is under way."""
        return self.separation is not None and self.separation.states.busy

    def run(self) -> Separation | None:
        """Start a run with the layers and settings as shown; does not wait for it.

        Returns
        -------
        Separation or None
            The run; None, with a notice that says why, if it cannot be started.
        """
        if self.busy:
            self.notice.say("info", "A run is under way: stop it first.")
            return None
        self.notice.clear_message()
        try:
            request = self._request()
        except (ValueError, TypeError) as error:
            self.notice.say("error", str(error))
            show_error(str(error))
            return None
        self._forget()
        separation = Separation(
            self._viewer,
            request,
            live=self._preferences.live,
            preview_every=1 / self._preferences.per_second,
        )
        self._follow(separation)
        separation.start()
        return separation

    def stop_and_keep(self) -> None:
        """End the run after the current iteration; the best so far stays."""
        if self.separation is not None and self.busy:
            self.separation.stop_and_keep()

    def discard(self) -> None:
        """End the run and remove its layers."""
        if self.separation is not None and self.busy:
            self.separation.discard()

    def continue_run(self) -> None:
        """Go on from where the last run ended, for half as many iterations again."""
        if self.separation is None or self.busy or not self._can_continue:
            return
        self.notice.clear_message()
        self.separation.resume(self._more)

    def retry_at_half_size(self) -> None:
        """Run again at half the working size."""
        self._clear_unfinished()
        limit = min(self.settings.size_limit, max(self._longer_side(), 64))
        self.run_options.config = self.run_options.config.updated({"size_limit": max(32, limit // 2)})
        self.run()

    def retry_on_cpu(self) -> None:
        """Run again on the CPU."""
        self._clear_unfinished()
        self.device.menu.choose("cpu")
        self.run()

    def _clear_unfinished(self) -> None:
        """Remove what a failed run has left."""
        if self.separation is not None:
            self.separation.remove_layers()

    def _longer_side(self) -> int:
        mixture = self.inputs.chosen("mixture")[0]
        return max(self.part.take(mixture).array.shape[:2])

    def paint_hints(self) -> None:
        """Add a Labels layer over the image, choose it as hints, and select its brush."""
        mixture = self.inputs.chosen("mixture")[0]
        shape = mixture.data[0].shape if mixture.multiscale else mixture.data.shape
        part = self.part.take(mixture)
        layer = self._viewer.add_labels(
            np.zeros(shape[: mixture.ndim], dtype=np.uint8),
            name=f"{mixture.name} hints",
            scale=mixture.scale,
            translate=mixture.translate,
            rotate=part.geometry["rotate"],
            shear=part.geometry["shear"],
            affine=part.geometry["affine"],
            units=mixture.units,
            axis_labels=mixture.axis_labels,
        )
        layer.brush_size = max(3, max(shape[:2]) // 100)
        layer.mode = "paint"
        self.inputs.choose("hints", [layer])

    def reset_choices(self, *_: Any) -> None:
        """Read the viewer's layers anew, whenever they change."""
        self.inputs.reset_choices()
        self._adopt_sample()
        self.view.reset_choices()

    # --- Layout and wiring -------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        """Put the form into a scroll area above the message and the buttons, which stay in sight."""
        more = plain([self.task.more_options, self.run_options])
        self._form = plain(
            [
                self.task,
                self.inputs,
                self.part,
                self.task.main_options,
                self.method,
                self.device,
                Section("More options", more),
            ],
            spacing=6,
        )
        self._form.native.layout().addStretch()
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setMinimumWidth(FORM_WIDTH)
        area.setWidget(self._form.native)
        self.native.layout().insertWidget(0, area, 1)

    def _connect(self) -> None:
        self.task.task_changed.connect(self._on_task)
        self.task.options_changed.connect(self._on_problem)
        self.inputs.changed.connect(self._on_problem)
        self.method.edited.connect(self._on_edited)
        self.run_options.changed.connect(self._on_edited)
        self.bar.run_pressed.connect(self.run)
        self.bar.stop_pressed.connect(self.stop_and_keep)
        self.bar.discard_pressed.connect(self.discard)
        self.bar.continue_pressed.connect(self.continue_run)
        self.native_parent_changed.connect(self._on_docked)
        layers = self._viewer.layers.events
        for event in (layers.inserted, layers.removed, layers.reordered):
            event.connect(self.reset_choices)
        for keys in ("Ctrl+Return", "Ctrl+Enter"):
            shortcut = QShortcut(QKeySequence(keys), self.native)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(self.run)

    def _on_docked(self, parent: Any) -> None:
        """Ask for devices once the dock is shown; closing the dock is Stop & keep."""
        if parent is None:
            self.stop_and_keep()
            self._forget()
        else:
            QTimer.singleShot(LOOK_AFTER_MS, self.device.look)

    def _on_task(self) -> None:
        self._task_chosen = True
        self.inputs.show_inputs(self.task.task.inputs, n_sources=self.task.n_sources)
        self._on_problem()

    def _adopt_sample(self) -> None:
        """Choose the task that an opened sample is meant for, unless someone has chosen one."""
        mixture = (self.inputs.chosen("mixture") or [None])[0]
        task = "" if mixture is None else sample_task(mixture)
        if not self._task_chosen and task in self.task.names() and task != self.task.task_name:
            self.task.menu.choose(task)
            self._task_chosen = False

    def _on_problem(self) -> None:
        """Offer what fits the inputs and options as they are now."""
        try:
            task, n_sources = self.task.task, self.task.n_sources
        except ValueError:  # an option is being typed in; the run will say what is wrong with it
            return
        if n_sources != self.inputs.n_sources:
            self.inputs.show_inputs(task.inputs, n_sources=n_sources)
            return
        mixtures = [layer for layer in self.inputs.chosen("mixture") if layer is not None]
        self.part.show_layer(mixtures[0] if mixtures else None)
        traits = task.traits(
            n_observations=max(1, len(mixtures)),
            n_guides=sum(layer is not None for layer in self.inputs.chosen("guides")),
            has_hints=any(layer is not None for layer in self.inputs.chosen("hints")),
        )
        self.method.show_methods(task, traits)
        self._on_edited()

    def _on_edited(self) -> None:
        """What has been run no longer belongs to what is shown: it cannot be continued."""
        if not self.busy:
            self._forget()

    # --- One run -----------------------------------------------------------------------------------------

    def _request(self) -> Request:
        """Take everything a run needs from the layers and the form.

        Raises
        ------
        ValueError
            If an input is missing or a setting cannot be read.
        """
        for each in self.task.task.inputs:
            given = [layer for layer in self.inputs.chosen(each.name) if layer is not None]
            least = 2 if each.many and each.name == "mixture" else 1
            if each.required and len(given) < least:
                raise ValueError(
                    f"Choose {'two images' if least == 2 else 'a layer'} for {each.title}: {each.description}"
                )
        layers = [layer for layer in self.inputs.chosen("mixture") if layer is not None]
        first = self.part.take(layers[0])

        def beside(layer: Any) -> Any:
            return None if layer is None else self.part.take_beside(layer, layers[0], first)

        hints, mask = ((self.inputs.chosen(name) or [None])[0] for name in ("hints", "mask"))
        guides = tuple(beside(layer) for layer in self.inputs.chosen("guides"))
        return Request(
            settings=self.settings.updated({"axes": first.axes}),
            mixtures=(first, *(beside(layer) for layer in layers[1:])),
            guides=guides if any(guide is not None for guide in guides) else (),
            hints=beside(hints),
            mask=beside(mask),
        )

    def _follow(self, separation: Separation) -> None:
        self.separation = separation
        separation.states.changed.connect(self._on_state)
        separation.progressed.connect(self.bar.show_progress)
        separation.ended.connect(self._on_ended)

    def _on_state(self, state: RunState) -> None:
        self.bar.show_state(state)

    def _on_ended(self, outcome: Outcome) -> None:
        self._more = 0
        if outcome.result is not None and outcome.result.state is not None:
            done = int(outcome.result.provenance["iterations"] or 0)
            self._more = max(50, round(done / 20) * 10) if done > 1 else 0
        self.bar.offer_continue(self._can_continue, self._more)
        self.bar.show_end(summary(outcome))
        show_ending(self, outcome)
        if outcome.error is not None:
            show_error(outcome.error.message)

    @property
    def _can_continue(self) -> bool:
        result = None if self.separation is None else self.separation.result
        return result is not None and result.state is not None and self._more > 0

    def _forget(self) -> None:
        """Give back the memory of the last run's networks."""
        if self.separation is not None and not self.busy and self.separation.result is not None:
            self.separation.result.drop_state()
        self.bar.offer_continue(False)
