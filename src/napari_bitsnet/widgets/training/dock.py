"""Dock "Train networks…", which fits the network of a trainer to the user's images and shows the progress."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.types import FileDialogMode
from magicgui.widgets import CheckBox, Container
from napari.utils.notifications import show_error, show_info
from qtpy.compat import isalive
from qtpy.QtCore import QTimer

from napari_bitsnet.api.training import SUFFIX
from napari_bitsnet.core.networks.facts import facts_of
from napari_bitsnet.core.networks.held_out import few_held_out, held_out_in_words
from napari_bitsnet.methods import METHODS
from napari_bitsnet.training.protocol import TRAINERS, TrainingConfig
from napari_bitsnet.widgets.alive import while_alive
from napari_bitsnet.widgets.docking import tabify
from napari_bitsnet.widgets.forms.device_box import DeviceBox
from napari_bitsnet.widgets.forms.fields import PathEdit, tooltip
from napari_bitsnet.widgets.forms.help import help_button
from napari_bitsnet.widgets.forms.menu import Entry, Menu
from napari_bitsnet.widgets.forms.notice import Notice
from napari_bitsnet.widgets.forms.rows import Text, in_scroll_area, labelled, plain
from napari_bitsnet.widgets.forms.tab_order import TabOrder
from napari_bitsnet.widgets.preferences import preferences
from napari_bitsnet.widgets.remembered import entry, recall, remember
from napari_bitsnet.widgets.run.bar import clock
from napari_bitsnet.widgets.run.worker import SeparationFailed
from napari_bitsnet.widgets.task_widget import LOOK_AFTER_MS
from napari_bitsnet.widgets.training.bar import TrainingBar
from napari_bitsnet.widgets.training.request import TrainingRequest
from napari_bitsnet.widgets.training.run import Training
from napari_bitsnet.widgets.training.source_list import SourceList
from napari_bitsnet.widgets.training.trainer_form import TrainerForm
from napari_bitsnet.widgets.training.worker import Trained

if TYPE_CHECKING:
    from napari.viewer import Viewer

PAGE = "tutorials/training.md"

DEFAULT = "feedforward"
"""Trainer that is chosen at first."""

FILE = "training"
"""Key under which the last training is remembered."""


class TrainingDock(Container):
    """Train networks on the user's images.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Viewer in which the picture of held-out examples is shown.

    Examples
    --------
    >>> _, dock = viewer.window.add_plugin_dock_widget("napari-bitsnet", "Train networks…")  # doctest: +SKIP
    >>> dock.sources.add(["photographs"])                                                  # doctest: +SKIP
    >>> dock.output.value = "mine.safetensors"                                             # doctest: +SKIP
    >>> dock.train()                                                                       # doctest: +SKIP
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        self._viewer = napari_viewer
        self.training: Training | None = None
        self._forms: dict[str, TrainerForm] = {}
        trainers = [TRAINERS.get(name) for name in TRAINERS]
        self.menu = Menu(
            [Entry(trainer.title, trainer.name, trainer.summary) for trainer in trainers],
            label="Train",
            tooltip=tooltip("Network to train."),
        )
        self.menu.choose(DEFAULT)
        self.output = PathEdit(
            mode=FileDialogMode.OPTIONAL_FILE,
            filter=f"*{SUFFIX}",
            label="Write to",
            tooltip=tooltip(
                f"File for the weights, {SUFFIX}; checkpoints and pictures go to a folder of the same name."
            ),
        )
        self.device = DeviceBox(preferences().device)
        self.notice, self.bar = Notice(), TrainingBar()
        super().__init__(widgets=[self.notice, self.bar], labels=False)
        self.margins = (6, 6, 6, 6)
        self._lay_out()
        self._show_form()
        self._recall()
        self.menu.changed.connect(self._show_form)
        self.bar.run_pressed.connect(self.train)
        self.bar.stop_pressed.connect(self.stop_and_keep)
        self.native_parent_changed.connect(self._on_docked)

    @property
    def form(self) -> TrainerForm:
        """Return the form of the chosen trainer."""
        return self._forms[self.menu.value]

    @property
    def sources(self) -> SourceList:
        """Return the list of the trainer's first input."""
        return next(iter(self.form.lists.values()))

    @property
    def shipped(self) -> CheckBox:
        """Return the box that starts the training from the weights of the package."""
        return self.form.shipped

    @property
    def config(self) -> TrainingConfig:
        """Return the settings as shown; see `TrainerForm.config`."""
        return self.form.config

    @config.setter
    def config(self, config: TrainingConfig) -> None:
        self.form.config = config

    @property
    def busy(self) -> bool:
        """Return True while a training is running."""
        return self.training is not None and self.training.states.busy

    def train(self) -> Training | None:
        """Start a training, or continue one that was stopped, without waiting for it.

        Returns
        -------
        Training or None
            None, with a notice that gives the reason, if it cannot be started.
        """
        if self.busy:
            self.notice.say("info", "A training is under way: stop it first.")
            return None
        self.notice.clear_message()
        try:
            output = Path(str(self.output.line_edit.value).strip()).expanduser()
            form = self.form
            request = TrainingRequest(
                form.trainer.name, form.data, output, form.config_to_run, self.device.value
            )
        except ValueError as error:
            self._complain(str(error))
            return None
        self._remember(request, self.config)
        if request.resumes:
            self.notice.say("info", f"Goes on from the training in {request.folder}.")
        training = self.training = Training(self._viewer, request)
        # lambdas, so that the training keeps what follows it, which has to see when the widgets are gone
        training.states.changed.connect(lambda state: self._tell(self.bar.show_state, state))
        training.progressed.connect(lambda message: self._tell(self.bar.show_progress, message))
        training.ended.connect(lambda outcome: self._tell(self._on_ended, outcome))
        training.start()
        return training

    def stop_and_keep(self) -> None:
        """End the training after the current step and write the weights."""
        if self.training is not None and self.busy:
            self.training.stop_and_keep()

    def _on_ended(self, outcome: Trained | SeparationFailed | None) -> None:
        self.notice.clear_message()
        if isinstance(outcome, SeparationFailed):
            self.bar.show_end("")
            text = outcome.message
            if outcome.kind == "memory":
                text = f"{text.rstrip('.')}. Try a smaller batch."
            self._complain(text)
        elif outcome is None or outcome.last is None:
            self.bar.show_end(
                "" if outcome is None or not outcome.stopped else "Stopped before the first step."
            )
            if outcome is not None and not outcome.stopped:
                self.notice.say("info", f"{outcome.note} For a new one, name another file.")
        else:
            seconds = clock(outcome.last.elapsed)
            how = "Stopped" if outcome.stopped else "Done"
            self.bar.show_end(f"{how}: step {outcome.last.step}, {seconds}.")
            more = " Train continues from there." if outcome.stopped else ""
            facts = facts_of(outcome.output)
            told = [f"The weights are in {outcome.output}.{more}{self._use()}"]
            told += filter(None, (held_out_in_words(facts), few_held_out(facts)))
            self.notice.say("info", " ".join(told))
            show_info(f"Weights written to {outcome.output}.")

    def _complain(self, text: str) -> None:
        """Show an error in the dock and as a notification."""
        self.notice.say("error", text)
        show_error(text)

    def _tell(self, show: Callable[[Any], None], what: Any) -> None:
        """Pass on a signal of the training; after the viewer has closed, end the training instead."""
        if isalive(self.bar.native):
            show(what)
        elif self.training is not None and self.busy:
            self.training.let_go()

    def _on_docked(self, parent: Any) -> None:
        """Query the devices when the dock is shown; closing the dock means *Stop & keep*."""
        if parent is not None:
            QTimer.singleShot(LOOK_AFTER_MS, while_alive(self.device, self.device.look))
            QTimer.singleShot(0, while_alive(self, lambda: tabify(self.native)))
        elif self.training is not None and self.busy:
            self.training.let_go()

    def _use(self) -> str:
        """Return the advice where to use the weights, for methods with a setting for weights."""
        name = self.training.request.trainer if self.training is not None else ""
        if name not in METHODS.names() or "weights" not in METHODS.get(name).Config.model_fields:
            return ""
        return f" To use them, name the file under the settings of the method {METHODS.get(name).title}."

    def _show_form(self) -> None:
        """Show the form of the chosen trainer; it is created when it is first chosen."""
        name = self.menu.value
        if name not in self._forms:
            self._forms[name] = TrainerForm(name, PAGE)
            self._holder.append(self._forms[name])
        for other, form in self._forms.items():
            form.native.setVisible(other == name)

    def _remember(self, request: TrainingRequest, config: TrainingConfig) -> None:
        data = {name: list(map(str, paths)) for name, paths in request.data.items()}
        what: dict[str, Any] = {"trainer": request.trainer, "data": data, "output": str(request.output)}
        what |= {"shipped": self.shipped.value, "settings": config.model_dump(mode="json")}
        remember(FILE, {**what, "device": request.device})

    def _recall(self) -> None:
        """Fill in the last training, so that it can be continued; values that no longer fit are left out."""
        last = recall(FILE)
        name = entry(last, "trainer", DEFAULT)
        if name in TRAINERS.names():
            self.menu.choose(name)
            self._show_form()
        data: dict[str, Any] = entry(last, "data", {})
        known = {each: paths for each, paths in data.items() if isinstance(paths, list)}
        self.form.data = {each: [p for p in paths if isinstance(p, str)] for each, paths in known.items()}
        self.output.value = entry(last, "output", "")  # type: ignore[assignment]
        self.shipped.value = entry(last, "shipped", bool(self.shipped.value)) and self.shipped.enabled
        try:
            self.config = self.config.updated(entry(last, "settings", {}))
        except ValueError:
            return
        self.device.choose(entry(last, "device", "") or self.device.value)

    def _lay_out(self) -> None:
        head = Text("Train a network on your own images. It works best on similar images.")
        title = plain([head, help_button(PAGE)], layout="horizontal")
        self._holder = plain([])
        rows = [title, labelled(self.menu), self._holder, labelled(self.output), self.device]
        form = plain(rows, spacing=6)
        area = in_scroll_area(form)
        self.native.layout().insertWidget(0, area, 1)
        self._form = form
        self._tab_order = TabOrder(self.native, (form.native, self.notice.native))
