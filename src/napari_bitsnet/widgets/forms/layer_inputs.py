"""Which layers a task works on: one picker for each of its inputs, with a line on what was picked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from magicgui.widgets import ComboBox, Container, PushButton
from napari.layers import Image, Labels, Layer, Shapes
from psygnal import Signal
from qtpy.QtWidgets import QSizePolicy

from napari_bitsnet.data.samples import SAMPLE_KEY
from napari_bitsnet.tasks import Input
from napari_bitsnet.widgets.forms.fields import tooltip
from napari_bitsnet.widgets.forms.menu import shrink
from napari_bitsnet.widgets.forms.rows import FORM_WIDTH, Text, labelled, plain
from napari_bitsnet.widgets.forms.section import Section
from napari_bitsnet.widgets.layers.parts import METADATA_KEY, describe

MOST_MIXTURES = 8
"""Most layers that a task of several mixtures takes."""

KINDS: dict[str, tuple[type[Layer], ...]] = {
    "mixture": (Image,),
    "guides": (Image,),
    "hints": (Labels,),
    "mask": (Labels, Shapes),
}
"""Which kinds of layer each input takes."""


class LayerPicker(Container):
    """A list of the viewer's layers of one kind, and below it what the chosen one is.

    Parameters
    ----------
    label, description : str
        As shown to people.
    kinds : tuple of type
        Classes of layers to offer.
    viewer : napari.Viewer
        Whose layers.
    optional : bool
        Whether none may be chosen.
    name : str
        Of the widget.
    button : PushButton, optional
        Shown behind the list.
    """

    def __init__(
        self,
        label: str,
        description: str,
        kinds: tuple[type[Layer], ...],
        viewer: Any,
        *,
        optional: bool,
        name: str = "",
        button: PushButton | None = None,
    ) -> None:
        self.optional = optional
        self._combo = ComboBox(
            choices=lambda _: [layer for layer in viewer.layers if isinstance(layer, kinds)],
            nullable=optional,
            tooltip=tooltip(description),
        )
        shrink(self._combo)
        self._info = Text(width=FORM_WIDTH - 44)  # as much as the smaller font needs, in the usual font
        self._info.native.setStyleSheet("font-size: 10px;")
        row = self._combo if button is None else plain([self._combo, button], layout="horizontal")
        super().__init__(widgets=[row, self._info], labels=False, label=label, name=name)
        self.margins = (0, 0, 0, 0)
        self.native.layout().setSpacing(1)
        self._combo.changed.connect(self._describe)
        self._describe()

    @property
    def value(self) -> Any:
        """The chosen layer, or None."""
        return self._combo.value

    @value.setter
    def value(self, layer: Any) -> None:
        self._combo.value = layer

    @property
    def choices(self) -> Sequence[Any]:
        """Layers that can be chosen."""
        return self._combo.choices

    def reset_choices(self, *_: Any) -> None:
        """Read the viewer's layers anew; the choice stays if it is still there, under whatever name."""
        before = self.value
        with self._combo.changed.blocked():
            self._combo.reset_choices()
            if before in self._combo.choices:
                self._combo.value = before
        self._describe()
        if self.value != before:
            self._combo.changed.emit(self.value)

    def _describe(self) -> None:
        layer = self.value
        with self._info.changed.blocked():
            self._info.value = "" if layer is None else describe(layer)
        self._info.visible = layer is not None


class LayerInputs(Container):
    """Pickers for all inputs of a task; ``changed`` is emitted when a choice changes.

    Optional layers, such as hints and pixels to ignore, are in a fold.

    Inputs that take several images have numbered pickers, ``mixture_1``, ``guide_2``: one a source for
    guides; for mixtures as many as are filled and an empty one.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose layers are offered.
    """

    paint_wanted = Signal()
    """Emitted when someone wants to paint hints."""

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._inputs: tuple[Input, ...] = ()
        self._n_sources = 2
        self._touched = self._proposing = False
        self._kept: Any = None
        self._pickers: dict[str, list[LayerPicker]] = {}
        self.extra: Section | None = None
        super().__init__(widgets=[], labels=False)
        self.margins = (0, 0, 0, 0)

    @property
    def n_sources(self) -> int:
        """Number of sources for which guides are asked."""
        return self._n_sources

    def names(self) -> list[str]:
        """Names of the task's inputs."""
        return list(self._pickers)

    def show_inputs(self, inputs: Sequence[Input], *, n_sources: int) -> None:
        """Offer pickers for these inputs; what was chosen stays chosen where it can."""
        self._inputs, self._n_sources = tuple(inputs), n_sources
        self._rebuild()

    def chosen(self, name: str) -> list[Any]:
        """Return the layers chosen for an input, None where a picker is empty; [] if it has no pickers."""
        return [picker.value for picker in self._pickers.get(name, [])]

    def choose(self, name: str, layers: Sequence[Any]) -> None:
        """Choose the layers of an input; further pickers of it are emptied.

        None leaves a picker of a required layer as it is.

        Raises
        ------
        ValueError
            If the task has no such input, or takes fewer layers.
        """
        if name not in self._pickers:
            raise ValueError(f"This task has no input {name!r}. It has: {', '.join(self._pickers)}.")
        self._touched = True
        pickers = self._pickers[name]
        for k, layer in enumerate(layers):
            if k >= len(pickers):
                raise ValueError(f"Expected at most {len(pickers)} layers for {name}, got {len(layers)}.")
            if layer is not None or pickers[k].optional:
                pickers[k].value = layer
        for picker in pickers[len(layers) :]:
            if picker.optional:
                picker.value = None

    def reset_choices(self, *_: Any) -> None:
        """Read the viewer's layers anew."""
        with self._proposals():
            super().reset_choices()
        self._propose()

    def _rebuild(self) -> None:
        chosen = {name: [p.value for p in pickers] for name, pickers in self._pickers.items()}
        with self.changed.blocked():
            self.clear()
            self._pickers = {}
            folded: list[Any] = []
            for each in self._inputs:
                before = chosen.get(each.name, [])
                pickers = [self._picker(each, k) for k in range(self._count(each, before))]
                self._pickers[each.name] = pickers
                rows = [labelled(picker) for picker in pickers]
                if each.required or each.many:
                    for row in rows:
                        self.append(row)
                else:
                    folded += rows
                with self._proposals():
                    for picker, layer in zip(pickers, before, strict=False):
                        if layer in picker.choices:
                            picker.value = layer
            self.extra = None
            if folded:
                self.extra = Section(self._extra_title(), plain(folded), page="tutorials/hints.md")
                self.append(self.extra)
            self._propose()
        self._unfold_chosen()
        self.changed.emit(self)

    def _extra_title(self) -> str:
        """Title of the fold: what may be chosen in it."""
        words = {"mask": "pixels to ignore"}
        folded = [each for each in self._inputs if not (each.required or each.many)]
        names = [words.get(each.name, each.title.lower()) for each in folded]
        # three names do not fit a narrow form
        return " and ".join(names).capitalize() if len(names) < 3 else "Optional layers"

    def _unfold_chosen(self) -> None:
        """Unfold the fold if a layer is chosen in it, so that nothing that counts is out of sight."""
        names = [each.name for each in self._inputs if not (each.required or each.many)]
        if self.extra is not None and any(self.chosen(name) != [None] for name in names):
            self.extra.unfolded = True

    def _count(self, each: Input, before: Sequence[Any]) -> int:
        if not each.many:
            return 1
        if each.name == "guides":
            return self._n_sources
        filled = sum(layer is not None for layer in before)
        return min(max(2, filled + 1), MOST_MIXTURES)

    def _picker(self, each: Input, k: int) -> LayerPicker:
        singular = each.name.removesuffix("s")
        picker = LayerPicker(
            f"{each.title.removesuffix('s')} {k + 1}" if each.many else each.title,
            each.description,
            KINDS[each.name],
            self._viewer,
            optional=not each.required or each.name == "guides" or k > 0,
            name=f"{singular}_{k + 1}" if each.many else each.name,
            button=self._paint_button() if each.name == "hints" else None,
        )
        picker.changed.connect(self._on_chosen)
        if each.many and each.name == "mixture":
            picker.changed.connect(self._grow)
        return picker

    def _paint_button(self) -> PushButton:
        button = PushButton(
            text="Paint", tooltip=tooltip("Paint hints in a new Labels layer over the image.")
        )
        button.native.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        button.changed.connect(lambda _=None: self.paint_wanted.emit())
        return button

    def _grow(self) -> None:
        """Keep one empty picker below the filled ones."""
        each = next(i for i in self._inputs if i.name == "mixture")
        pickers = self._pickers["mixture"]
        if self._count(each, self.chosen("mixture")) > len(pickers):
            pickers.append(self._picker(each, len(pickers)))
            self.insert(len(pickers) - 1, labelled(pickers[-1]))

    def _propose(self) -> None:
        """Choose what is likely, until someone has chosen: the active image, others beside it, photographs.

        A mixture that is chosen stays, unless a sample is opened.
        """
        if self._touched:
            return
        images = [layer for layer in self._viewer.layers if isinstance(layer, Image)]
        own = [layer for layer in images if METADATA_KEY not in layer.metadata and role(layer) != "truth"]
        mixtures = [layer for layer in own if role(layer) != "guide"]
        samples = [layer for layer in mixtures if role(layer) == "mixture"]
        active = self._viewer.layers.selection.active
        wanted = [*samples[:1], *([self._kept] if self._kept in own else []), active]
        first = next((layer for layer in [*wanted, *mixtures, *own, *images] if layer in images), None)
        if first is None:
            return
        self._kept = first
        same = [layer for layer in own if layer != first and layer.data.shape[:2] == first.data.shape[:2]]
        like = [layer for layer in same if layer in mixtures and layer.rgb == first.rgb]
        others = [layer for layer in like if layer in samples] if samples else like[:1]
        likely = {
            "mixture": [first, *others],
            "guides": [layer for layer in same if layer.rgb],
            "mask": [layer for layer in self._viewer.layers if role(layer) == "mask"],
            "hints": [
                layer
                for layer in self._viewer.layers
                if role(layer) == "hints" and sample_task(layer) == sample_task(first)
            ],
        }
        with self._proposals():
            for each in self._inputs:
                if each.name in ("mixture", "hints") or (each.required and each.name in likely):
                    for picker, layer in zip(list(self._pickers[each.name]), likely[each.name], strict=False):
                        picker.value = layer

    @contextmanager
    def _proposals(self) -> Iterator[None]:
        """Changes made inside are not those of a person."""
        self._proposing = True
        try:
            yield
        finally:
            self._proposing = False

    def _on_chosen(self) -> None:
        self._touched = self._touched or not self._proposing
        self._unfold_chosen()


def role(layer: Any) -> str:
    """What the layer is in a sample: ``"mixture"``, ``"guide"``, ``"hints"``, ``"mask"``, ``"truth"``; empty
    for others."""
    return str(layer.metadata.get(SAMPLE_KEY, {}).get("role", ""))


def sample_task(layer: Any) -> str:
    """Name of the task that a sample's layer is meant for; empty for other layers."""
    return str(layer.metadata.get(SAMPLE_KEY, {}).get("task", ""))
