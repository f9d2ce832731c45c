"""The dock: three folds in a scroll area, with messages, views and buttons below that are always visible."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from magicgui.widgets import Container
from napari.utils.notifications import show_info
from qtpy.compat import isalive
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QFileDialog
from superqt.utils import create_worker

from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.widgets.alive import while_alive
from napari_bitsnet.widgets.docking import tabify
from napari_bitsnet.widgets.forms.check_bar import CheckBar
from napari_bitsnet.widgets.forms.notice import Notice
from napari_bitsnet.widgets.forms.problem_form import ProblemForm
from napari_bitsnet.widgets.forms.rows import in_scroll_area, plain
from napari_bitsnet.widgets.forms.section import Section
from napari_bitsnet.widgets.forms.tab_order import TabOrder
from napari_bitsnet.widgets.layers.hint_layer import add_hint_layer
from napari_bitsnet.widgets.layers.parts import METADATA_KEY
from napari_bitsnet.widgets.layers.warming import load_drawing
from napari_bitsnet.widgets.preferences import preferences
from napari_bitsnet.widgets.results.area_hints import paint_areas
from napari_bitsnet.widgets.results.result_form import ResultForm
from napari_bitsnet.widgets.results.save_aside import save_aside
from napari_bitsnet.widgets.results.saving import SaveOptions, save_separation
from napari_bitsnet.widgets.results.view_bar import ViewBar
from napari_bitsnet.widgets.run.bar import RunBar
from napari_bitsnet.widgets.run.control import RunControl
from napari_bitsnet.widgets.run.endings import show_ending, summary
from napari_bitsnet.widgets.run.separation import Outcome, Separation
from napari_bitsnet.widgets.shortcuts import add_shortcuts

if TYPE_CHECKING:
    from napari.viewer import Viewer

LOOK_AFTER_MS = 400
"""Milliseconds after docking before the devices are queried, so that the form shows first."""


class TaskWidget(Container):
    """Separate superimposed layers.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Viewer with the layers.

    Attributes
    ----------
    task, inputs, part, method, device, run_options
        Parts of the form.
    control : RunControl
        Starts and ends runs.

    Examples
    --------
    >>> _, dock = viewer.window.add_plugin_dock_widget("napari-bitsnet")  # doctest: +SKIP
    >>> dock.task.apply("xray", {})                                      # doctest: +SKIP
    >>> dock.inputs.choose("guides", [front, back])                      # doctest: +SKIP
    >>> dock.run()                                                       # doctest: +SKIP
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        self._viewer = napari_viewer
        chosen = preferences()
        self.form = ProblemForm(napari_viewer, chosen)
        self.task, self.inputs, self.part = self.form.task, self.form.inputs, self.form.part
        self.method, self.device, self.run_options = self.form.method, self.form.device, self.form.run_options
        self._folder = chosen.folder
        self._known_layers: list[tuple[Any, str]] | None = None
        self._chosen = {name: self.inputs.chosen(name) for name in self.inputs.names()}
        self._finished: list[Separation] = []  # runs whose layers are in the viewer
        self._followed: Separation | None = None
        self._followed_layers: list[Any] = []
        self.notice = Notice(self.form.in_words)
        self.view = ViewBar(napari_viewer, by_itself=chosen.side_by_side)
        self.bar = RunBar()
        self.check = CheckBar(self.form.request, self.notice)
        self.result = ResultForm(napari_viewer)
        self.brightness, self.candidates = self.result.brightness, self.result.candidates
        self.areas, self.record = self.result.areas, self.result.record
        self.control = RunControl(napari_viewer, self.form, self.bar, self.notice, chosen)
        super().__init__(widgets=[self.notice, self.view, self.bar], labels=False)
        self.margins = (6, 6, 6, 6)
        self._lay_out()
        self._connect()

    # --- For scripts -------------------------------------------------------------------------------------

    @property
    def settings(self) -> RunSettings:
        """Return everything that determines a run except the images; see `ProblemForm.settings`."""
        return self.form.settings

    @settings.setter
    def settings(self, settings: RunSettings) -> None:
        self.form.settings = settings

    @property
    def busy(self) -> bool:
        """Return True during a run."""
        return self.control.busy

    @property
    def separation(self) -> Separation | None:
        """Return the current run, or the last one."""
        return self.control.separation

    @property
    def selected(self) -> Separation | None:
        """Return the run whose result is selected among the layers, or the last one with layers."""
        active = self._viewer.layers.selection.active
        runs = [run for run in self._finished if active in run.layers]
        last = self.separation
        if last is not None and (last.result is None or last.layers):
            runs.append(last)
        return next(iter([*runs, *reversed(self._finished)]), None)

    def run(self) -> Separation | None:
        """Start a run with the layers and settings as shown, without waiting for it.

        Returns
        -------
        Separation or None
            The run; None, with a notice about the reason, if it cannot be started.
        """
        return self.control.run()

    def run_each(self, layers: Sequence[Any] | None = None) -> Separation | None:
        """Start runs on several layers, one after another, each as the image of the form.

        Parameters
        ----------
        layers : sequence of Image, optional
            Images in the order of their runs; default the selected ones, guides left out.

        Returns
        -------
        Separation or None
            The first run; None, with a notice about the reason, if none can be started.
        """
        return self.control.run_each(self.form.selected() if layers is None else layers)

    def stop_and_keep(self) -> None:
        """End the run after the current iteration and keep the best result so far."""
        self.control.stop_and_keep()

    def discard(self) -> None:
        """End the run and remove its layers."""
        self.control.discard()

    def use_record(self, record: dict[str, Any]) -> None:
        """Fill the form with the settings, layers, slice and region of a result, and say what is missing."""
        try:
            missing = self.form.use_record(record)
        except ValueError as error:
            self.control.complain(str(error))
            return
        self.form.have.unfolded = self.form.how.unfolded = True
        self._scroll_to(0)
        if missing:
            self.notice.say("warning", "Not everything could be filled in. " + " ".join(missing))

    def save(self, folder: str | Path) -> list[Path]:
        """Write the outputs of the selected result, a preview and its record to a folder; return the files.

        They are written as they are on the screen: with the brightness that was chosen, the split that is
        shown and the names that the sources have. Where no result is selected it is the last run's;
        ``record.files.config`` says how images are written.

        Raises
        ------
        ValueError
            If there is no result, the selected one was not made here, or the folder cannot be written to.
        """
        run = self.selected
        if run is None:
            raise ValueError("Expected a finished run to save, got none: run first.")
        active = self._viewer.layers.selection.active
        if self.record.of_selected and active not in run.layers:
            raise ValueError(
                f"Expected a result of this dock, got {active.name}, of which it has no more than the layer: "
                "save the layer with napari's File menu, or run again with its settings."
            )
        return save_separation(run, folder, self._save_options)

    @property
    def _save_options(self) -> SaveOptions:
        return cast(SaveOptions, self.record.files.config)

    def give_area(self, areas: Any, source: int) -> None:
        """Assign the areas in a layer of shapes to a source of the last run, as hints, and continue the run.

        Its number is the one on the screen: where the two sources were swapped, hints have the other one.

        Parameters
        ----------
        areas : Shapes or None
            Shapes around areas in the wrong source.
        source : int
            Number of the right source, from 1.
        """
        run = self.separation
        if self.busy or run is None or run.result is None or run.result.state is None:
            self.control.complain("Expected a finished run that can go on, got none: run first.")
            return
        if areas is None or not areas.nshapes:
            self.notice.say(
                "info",
                "Draw around what is in the wrong source first.",
                [("Mark an area", self.areas.mark_area)],
            )
            return
        hints = paint_areas(self.form, run, areas, source)
        self.areas.clear_areas(areas)
        if hints is not None:
            self.control.run_on(hints)

    def paint_hints(self) -> None:
        """Add a Labels layer over the image, choose it as hints, and select its brush."""
        mixture = (self.inputs.chosen("mixture") or [None])[0]
        if mixture is None:
            self.control.complain("Choose an image first: hints are painted over it.")
            return
        self.view.overlay()
        layer = add_hint_layer(self._viewer, mixture)
        self.inputs.choose("hints", [layer])

    def show_results(self) -> None:
        """Unfold the section for a result, and fold the others."""
        self.form.have.unfolded = self.form.how.unfolded = False
        self._result_section.unfolded = True
        result = self._result_section.native
        QTimer.singleShot(0, while_alive(self, lambda: self._scroll_to(result.y())))  # once it is laid out

    def _scroll_to(self, height: int) -> None:
        """Scroll to a height of the form in pixels; a form that fits does not move."""
        bar: Any = self._area.verticalScrollBar()
        bar.setValue(height)

    def reset_choices(self, *_: Any) -> None:
        """Read the viewer's layers anew, if they have changed: napari, too, calls this for every change."""
        if not isalive(self.native):  # the dock was closed, the viewer goes on
            return
        there = self._viewer.layers
        self._finished = [run for run in self._finished if any(layer in there for layer in run.layers)]
        self._on_layers_gone()
        layers = [(layer.unique_id, layer.name) for layer in self._viewer.layers]
        if layers == self._known_layers:
            return
        self._known_layers = layers
        self.form.reset_choices()
        self.view.reset_choices()

    # --- Layout and wiring -------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        self.form.placing.append(self.check)
        self._result_section = Section(
            "Result", self.result, unfolded=True, page="getting-started-viewer.md#the-result"
        )
        self._result_section.visible = False
        scrolled = plain([self.form, self._result_section], spacing=6)
        self._scrolled = scrolled
        area = in_scroll_area(scrolled)
        self.native.layout().insertWidget(0, area, 1)
        self._area = area
        self._tab_order = TabOrder(self.native, (scrolled.native, self.notice.native))

    def _connect(self) -> None:
        layers = self._viewer.layers.events
        for event in (layers.inserted, layers.removed, layers.reordered):
            event.connect(self.reset_choices)
        self._viewer.layers.selection.events.active.connect(self._on_selected)
        self._viewer.layers.selection.events.changed.connect(self._offer_each)
        self.inputs.changed.connect(self._offer_each)
        self.control.drawn.connect(self.view.show_all)
        self.control.ended.connect(self._on_ended)
        self.control.refused.connect(self._on_refused)
        self.form.register.placed.connect(self.notice.settle)
        self.inputs.changed.connect(self._on_inputs)
        self.form.edited.connect(self._offer_check)
        self._offer_check()
        self.candidates.changed.connect(self._on_other_split)
        self.inputs.paint_wanted.connect(self.paint_hints)
        self.areas.given.connect(self.give_area)
        self.areas.drawing.connect(self.view.overlay_for_now)
        self.areas.drawn.connect(self.view.show_as_before)
        self.record.settings_wanted.connect(self.use_record)
        self.record.save_wanted.connect(self._ask_where_to_save)
        self.record.copied.connect(lambda text: show_info("Copied to the clipboard."))
        self.native_parent_changed.connect(self._on_docked)
        # after PyTorch, not beside it
        self.device.looked.connect(lambda: create_worker(load_drawing, _start_thread=True))
        add_shortcuts(self.native, self.run)

    def _on_docked(self, parent: Any) -> None:
        """Query the devices when the dock is shown; closing the dock means *Stop & keep*."""
        if parent is None:
            self.control.let_go()
        else:
            QTimer.singleShot(LOOK_AFTER_MS, while_alive(self.device, self.device.look))
            QTimer.singleShot(0, while_alive(self, lambda: tabify(self.native)))

    def _on_ended(self, outcome: Outcome) -> None:
        queue = self.control.queue
        self.bar.show_end(summary(outcome) if queue is None else queue.summary())
        if outcome.result is not None:
            self.view.show_all(outcome.layers)
        self.record.reset()
        run = self.separation
        if run is not None and outcome.result is not None and run not in self._finished:
            self._finished.append(run)
        self._follow(run)
        if outcome.result is not None and not (queue is not None and queue.waiting):
            self.show_results()
        show_ending(outcome, self.form, self.control, self.notice, self.paint_hints)
        if outcome.result is not None and self._folder and run is not None:  # as the preferences ask for
            save_aside(run, self._folder, self._save_options, self.control.complain)

    def _on_selected(self, _: Any = None) -> None:
        """Show the sections for the selected result."""
        if not isalive(self.native) or self.busy:
            return
        if self.selected is not self._followed:
            self._follow(self.selected)
        elif self._followed is None:
            self._result_section.visible = bool(self.record.of_selected)

    def _follow(self, run: Separation | None) -> None:
        """Show what can be done with a finished run, or with a selected result of an earlier session."""
        self._followed = run
        self._followed_layers = [] if run is None else list(run.layers)
        self.result.follow(run)
        self._result_section.visible = bool(self._followed_layers) or bool(self.record.of_selected)

    def _on_layers_gone(self) -> None:
        """Clear controls, messages and memory of results whose layers are gone."""
        run = self._followed
        if self.busy or run is None:
            return
        lost = [layer for layer in self._followed_layers if layer not in self._viewer.layers]
        if not lost:
            self._followed_layers = list(run.layers)
            self.result.further.sync()
            return
        further = self.result.further.boxes
        if run.layers and all(layer.metadata[METADATA_KEY]["output"] in further for layer in lost):
            self._followed_layers = list(run.layers)
            self.result.further.sync()  # may come from a box of this form, which must not be replaced now
            return
        if not run.layers and run is self.separation:
            self.control.forget()
            self.bar.show_end("")
            if self.notice.lasting:
                self.notice.clear_message()
        self._follow(self.selected)

    def _on_refused(self) -> None:
        """Show the part of the form in which something is missing."""
        self.form.have.unfolded = True

    def _on_inputs(self, _: Any = None) -> None:
        """Hide the form's complaint about inputs once other layers are chosen, hints as well."""
        chosen = {name: self.inputs.chosen(name) for name in self.inputs.names()}
        if chosen != self._chosen:
            self._chosen = chosen
            self.notice.settle()

    def _offer_check(self, *_: Any) -> None:
        """Show the button for checks if the task takes a guide for each source."""
        self.check.visible = any(each.name == "guides" and each.many for each in self.task.task.inputs)

    def _offer_each(self, *_: Any) -> None:
        """Show the button for a run on each of the selected images, if there are several."""
        if isalive(self.native):
            self.bar.offer_each([layer.name for layer in self.form.selected()])

    def _on_other_split(self, _: int) -> None:
        """Reset the brightness of the sources after another split is chosen."""
        self.brightness.follow(self._followed)

    def _ask_where_to_save(self) -> None:
        folder = QFileDialog.getExistingDirectory(self.native, "Folder for the results")
        if not folder:
            return
        try:
            files = self.save(folder)
        except (ValueError, OSError) as error:
            self.control.complain(str(error))
        else:
            show_info(f"{len(files)} files written to {folder}.")
