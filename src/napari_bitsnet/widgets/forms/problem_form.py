"""Form with everything that determines a run: inputs and task in one fold, method and device in another."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import Container
from numpy.typing import NDArray
from psygnal import Signal

from napari_bitsnet.api.records import recorded_settings
from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.data.samples import SAMPLE_KEY
from napari_bitsnet.methods import METHODS
from napari_bitsnet.tasks import TASKS
from napari_bitsnet.widgets.forms.device_box import DeviceBox
from napari_bitsnet.widgets.forms.estimate_line import EstimateLine, plane_count
from napari_bitsnet.widgets.forms.form import ConfigForm
from napari_bitsnet.widgets.forms.input_checks import check_different
from napari_bitsnet.widgets.forms.layer_inputs import KINDS, LayerInputs, sample_task
from napari_bitsnet.widgets.forms.method_form import MethodForm
from napari_bitsnet.widgets.forms.part_form import ALL, PartForm
from napari_bitsnet.widgets.forms.register_form import RegisterForm
from napari_bitsnet.widgets.forms.rows import plain
from napari_bitsnet.widgets.forms.section import Section
from napari_bitsnet.widgets.forms.task_form import TaskForm
from napari_bitsnet.widgets.last_used import LastUsed
from napari_bitsnet.widgets.layers.parts import Part
from napari_bitsnet.widgets.layers.units import units_remark
from napari_bitsnet.widgets.preferences import Preferences
from napari_bitsnet.widgets.run.request import Request
from napari_bitsnet.widgets.wording import RUN_OPTIONS, in_form


class ProblemForm(Container):
    """Two folds: *What I have* (task, layers, region) and *How* (method, preset, settings, device).

    Parameters
    ----------
    viewer : napari.Viewer
        Whose layers are offered.
    preferences : Preferences
        What to start with.
    """

    edited = Signal()
    """Emitted after any change: a result no longer belongs to what is shown."""

    def __init__(self, viewer: Any, preferences: Preferences) -> None:
        self._viewer = viewer
        self._task_chosen = False
        self._adopted: object = None
        self._shown: object = None
        self.task = TaskForm()
        self.inputs = LayerInputs(viewer)
        self.part = PartForm(viewer)
        self.register = RegisterForm(viewer, self.inputs, self.part)
        self.placing = plain([self.register])
        self._register_section = Section("Registration", self.placing, page="tutorials/registration.md")
        self.method = MethodForm(preset=preferences.preset)
        self.device = DeviceBox(preferences.device)
        self.run_options = ConfigForm(RunSettings(size_limit=preferences.size_limit), only=RUN_OPTIONS)
        self.estimate = EstimateLine()
        more = Section("More options", plain([self.task.more_options, self.run_options]))
        things = [self.task, self.inputs, self._register_section, self.part, self.task.main_options]
        page = "getting-started-viewer.md"
        self.have = Section(
            "What I have", plain(things, spacing=6), unfolded=True, page=f"{page}#what-i-have"
        )
        self.how = Section("How", plain([self.method, self.device, more], spacing=6), page=f"{page}#how")
        super().__init__(widgets=[self.have, self.how, self.estimate], labels=False)
        self.margins = (0, 0, 0, 0)
        self.native.layout().setSpacing(6)
        self.task.task_changed.connect(self._on_task)
        self.task.options_changed.connect(self._on_problem)
        self.inputs.changed.connect(self._on_problem)
        self.method.edited.connect(self._tell_if_edited)
        self.run_options.changed.connect(self._tell_if_edited)
        for signal in (self.part.changed, self.device.menu.changed, self.device.looked, self.edited):
            signal.connect(self.show_estimate)
            signal.connect(self._summarise)
        self.inputs.changed.connect(self._summarise)
        for section in (self.have, self.how):
            section.toggled.connect(self._on_folded)
        self._last = LastUsed(preferences)
        self._last.fill(self.device, self.run_options, RUN_OPTIONS)
        if self._last.task in self.task.names():
            with self.task.task_changed.blocked():
                self.task.menu.choose(self._last.task)
        self._show_task()
        self._adopt_sample()

    def in_words(self, text: str) -> str:
        """Return a message with settings as the form shows them."""
        return in_form(text, self.task.task_name)

    def show_registration(self) -> None:
        """Unfold the registration of guides and further mixtures."""
        self.have.unfolded = True
        self._register_section.unfolded = True

    def remember(self) -> None:
        """Remember what is shown for the next time."""
        self._last.keep(self.settings, self.method.method.value, RUN_OPTIONS)

    @property
    def settings(self) -> RunSettings:
        """Return everything that determines a run except the images.

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
        self._fill_how(settings)

    def _fill_how(self, settings: RunSettings) -> None:
        """Show method, settings, device and options of a run."""
        changes = dict(settings.settings)
        if (
            settings.iterations is not None
            and "iterations" in self.method.config_class(settings.method).model_fields
        ):
            changes["iterations"] = settings.iterations
        self.method.apply(settings.method, settings.preset, changes)
        self.device.choose(settings.device)
        shown = {name: getattr(settings, name) for name in RUN_OPTIONS}
        self.run_options.config = self.run_options.config.updated(shown)

    def selected(self) -> list[Any]:
        """Return the selected images that can be separated one by one, in the order of the layer list.

        Guides are left out. Tasks that take several mixtures in one run have none.
        """
        if any(each.many and each.name == "mixture" for each in self.task.task.inputs):
            return []
        chosen, guides = self._viewer.layers.selection, self.inputs.chosen("guides")
        images = [layer for layer in self._viewer.layers if isinstance(layer, KINDS["mixture"])]
        return [layer for layer in images if layer in chosen and layer not in guides]

    def request(self, image: Any = None) -> Request:
        """Take everything a run needs from the layers and the form.

        Parameters
        ----------
        image : Image, optional
            The mixture, in place of the one that the form shows.

        Raises
        ------
        ValueError
            If an input is missing or a setting cannot be read.
        """
        for each in self.task.task.inputs:
            given = [layer for layer in self.inputs.chosen(each.name) if layer is not None]
            if each.name == "mixture" and image is not None:
                given = [image]
            least = each.least if each.many and each.name == "mixture" else 1
            if each.required and len(given) < least:
                what = "two images" if least == 2 else "a layer"
                raise ValueError(f"Choose {what} for {each.title}: {each.description}")
        shown = self.inputs.chosen("mixture") if image is None else [image]
        layers = [layer for layer in shown if layer is not None]
        check_different(layers, self.inputs.chosen("guides"))
        first = self.part.take(layers[0])

        def beside(layer: Any) -> Any:
            return None if layer is None else self.part.take_beside(layer, layers[0], first)

        others = [
            *layers[1:],
            *(each for name in self.inputs.names() if name != "mixture" for each in self.inputs.chosen(name)),
        ]
        remarks = [units_remark(each, layers[0]) for each in others if each not in (None, layers[0])]
        hints, mask = ((self.inputs.chosen(name) or [None])[0] for name in ("hints", "mask"))
        guides = tuple(beside(layer) for layer in self.inputs.chosen("guides"))
        return Request(
            settings=self.settings.updated({"axes": first.axes}),
            mixtures=(first, *(beside(layer) for layer in layers[1:])),
            guides=guides if any(guide is not None for guide in guides) else (),
            hints=beside(hints),
            mask=beside(mask),
            remarks=tuple(dict.fromkeys(remark for remark in remarks if remark)),
        )

    def hints_beside(self, taken: Part) -> Part | None:
        """Take the chosen hints on the pixels of a run's mixture; None if no layer is chosen.

        Raises
        ------
        ValueError
            If they do not fit.
        """
        layer = (self.inputs.chosen("hints") or [None])[0]
        if layer is None:
            return None
        mixture = (self.inputs.chosen("mixture") or [None])[0]
        return self.part.take_beside(layer, layer if mixture is None else mixture, taken)

    def show_hints(self, labels: NDArray, before: Part | None, mixture: Part) -> None:
        """Show labels on the pixels of a run's mixture: in the chosen layer if it has these pixels, else in a
        new one."""
        layer = (self.inputs.chosen("hints") or [None])[0]
        shape = (1,) * mixture.dropped + labels.shape
        if layer is not None and before is not None and before.array is not None:
            place = tuple(before.record["position"] or ())
            if before.record["resampled"] is None and layer.data[place].shape == labels.shape:
                layer.data[place] = labels
                layer.refresh()
                return
        layer = self._viewer.add_labels(
            labels.reshape(shape), name=f"{mixture.name} hints", **mixture.geometry
        )
        self.inputs.choose("hints", [layer])

    def use_record(self, record: dict[str, Any]) -> list[str]:
        """Take a result's settings, and its layers, slice and region where they are still there.

        Returns
        -------
        list of str
            A sentence about everything that could not be filled in.

        Raises
        ------
        ValueError
            If the settings are not those of this version.
        """
        settings = recorded_settings(record)
        self.task.apply(settings.task, settings.options)
        layers = record.get("layers") or {}
        missing = []
        for each in self.task.task.inputs:
            entries = layers.get(each.name)
            several = entries if isinstance(entries, list) else [entries]
            found = [self._layer_named(entry) for entry in several]
            self.inputs.choose(each.name, found)
            for k, (entry, layer) in enumerate(zip(several, found, strict=True)):
                if entry and layer is None:
                    title = f"{each.title.removesuffix('s')} {k + 1}" if each.many else each.title
                    missing.append(f"{title}: open the layer {entry['name']} again, or choose another one.")
        entry = next(iter(layers.get("mixture") or []), None)
        if entry is not None:
            missing += self.part.use_record(self._layer_named(entry), entry)
        try:
            self._fill_how(settings)
        except ValueError as error:  # a method that needs what is missing
            missing.append(f"Method: {error}")
        return missing

    def reset_choices(self, *_: Any) -> None:
        """Read the viewer's layers anew, whenever they change."""
        self.inputs.reset_choices()
        self._adopt_sample()

    def _layer_named(self, entry: dict[str, Any] | None) -> Any:
        """The layer that a record's entry tells of, or None if it is gone."""
        return next((layer for layer in self._viewer.layers if entry and layer.name == entry["name"]), None)

    def _adopt_sample(self) -> None:
        """Choose the task that an opened sample is meant for, unless someone has chosen one, and of a film
        all slices."""
        mixture = (self.inputs.chosen("mixture") or [None])[0]
        task = "" if mixture is None else sample_task(mixture)
        if not self._task_chosen and task in self.task.names() and task != self.task.task_name:
            self.task.menu.choose(task)
            self._task_chosen = False
        if task and mixture.unique_id != self._adopted:
            self._adopted = mixture.unique_id
            if mixture.metadata[SAMPLE_KEY].get("slices") == ALL:
                self.part.slices.choose(ALL)

    def _summarise(self, *_: Any) -> None:
        """Say in one line what is in a fold that is closed."""
        if self.method.method.value is None:  # no task has been shown yet
            return
        names = [layer.name for layer in self.inputs.chosen("mixture") if layer is not None]
        guides = sum(layer is not None for layer in self.inputs.chosen("guides"))
        words = [TASKS.get(self.task.task_name).title, *names]
        if guides:
            words.append(f"{guides} guide{'s' * (guides > 1)}")
        self.have.summarise(" · ".join(words))
        method = METHODS.get(self.method.resolved).title
        self.how.summarise(f"{method} · {self.method.preset.value} · device {self.device.value}")

    def _on_folded(self, _: bool) -> None:
        """Leave the room of the estimate to the result while both folds are closed."""
        self.estimate.visible = self.have.unfolded or self.how.unfolded

    def _on_task(self) -> None:
        self._task_chosen = True
        self._show_task()

    def _show_task(self) -> None:
        inputs = self.task.task.inputs
        self.inputs.show_inputs(inputs, n_sources=self.task.n_sources)
        self._register_section.visible = any(each.many for each in inputs)
        guides = any(each.name == "guides" and each.many for each in inputs)
        self._register_section.retitle("Registration and check" if guides else "Registration")
        self._on_problem()
        self._last.fill_task(self.task, self.method)

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
        self._tell_if_edited()

    def show_estimate(self) -> None:
        """Show the estimated time of a run with the shown settings."""
        layer = (self.inputs.chosen("mixture") or [None])[0]
        try:
            if layer is None:
                self.estimate.show_nothing()
                return
            count = plane_count(layer, all_slices=self.part.slices.value == ALL)
            size = self.part.size(layer)
            self.estimate.show_run(self.settings, size, self.task.n_sources, count, self.device.description)
        except ValueError:  # something is being typed in, or drawn
            self.estimate.show_nothing()

    def _tell_if_edited(self) -> None:
        """Tell of changes, but not of other hints: a run goes on with these."""
        try:
            options: object = (self.task.changed_options(), self.method.changes(), self.run_options.config)
        except ValueError:  # something is being typed in
            options = None
        layers = {name: self.inputs.chosen(name) for name in self.inputs.names() if name != "hints"}
        shown = (self.task.task_name, self.method.method.value, self.method.preset.value, options, layers)
        if shown != self._shown or options is None:
            self._shown = shown
            self.edited.emit()
