"""Form of one trainer: a list of folders and zips for each input, and the settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from magicgui.widgets import CheckBox, Container

from napari_bitsnet.training.protocol import TRAINERS, TrainingConfig
from napari_bitsnet.widgets.forms.fields import tooltip
from napari_bitsnet.widgets.forms.form import ConfigForm
from napari_bitsnet.widgets.forms.rows import Text
from napari_bitsnet.widgets.forms.section import Section
from napari_bitsnet.widgets.training.source_list import SourceList

FIRST = ("hours", "steps", "validate_every")
"""Settings that are always shown; the others are in a folded section."""

VALIDATE_EVERY = 100
"""Initial steps between validations: fewer than on the command line, because the dock shows the pictures."""


class TrainerForm(Container):
    """Form that is generated from the inputs and the settings of a trainer.

    Parameters
    ----------
    name : str
        Name of the trainer.
    page : str
        Page of the documentation on training.
    """

    def __init__(self, name: str, page: str) -> None:
        self.trainer = TRAINERS.get(name)
        self.lists = {each.name: SourceList(each.description) for each in self.trainer.inputs}
        has_shipped = self.trainer.shipped() is not None
        self.shipped = CheckBox(
            text="Start from the network of the package",
            value=has_shipped,
            enabled=has_shipped,
            tooltip=tooltip(
                "It has learnt from many images already. Without the tick the training begins with random "
                "weights, unless other weights are named below."
            ),
        )
        config = self.trainer.Config(validate_every=VALIDATE_EVERY)
        self._first = ConfigForm(config, only=FIRST)
        self._rest = ConfigForm(config, only=[n for n in type(config).model_fields if n not in FIRST])
        widgets: list[Any] = [Text(self.trainer.summary)]
        for each in self.trainer.inputs:
            widgets += [Text(f"{each.title}:"), self.lists[each.name]]
        more = Section("More settings", self._rest, page=page)
        super().__init__(widgets=[*widgets, self._first, self.shipped, more], labels=False)
        self.margins = (0, 0, 0, 0)

    @property
    def data(self) -> dict[str, tuple[Path, ...]]:
        """Return folders and zips by the name of the input."""
        return {name: sources.paths for name, sources in self.lists.items()}

    @data.setter
    def data(self, data: Mapping[str, Sequence[Path | str]]) -> None:
        for name, sources in self.lists.items():
            sources.take_off(sources.paths)
            sources.add(data.get(name, ()))

    @property
    def config(self) -> TrainingConfig:
        """Return the settings as shown.

        Raises
        ------
        ValueError
            If a field cannot be read or is out of range.
        """
        first = self._first.config
        config = self._rest.config.updated({name: getattr(first, name) for name in FIRST})
        assert isinstance(config, TrainingConfig)
        return config

    @config.setter
    def config(self, config: TrainingConfig) -> None:
        self._first.config = self._rest.config = config

    @property
    def config_to_run(self) -> TrainingConfig:
        """Return the settings, with the weights of the package as the start if they are ticked and no others
        are named."""
        config = self.config
        if self.shipped.value and config.weights is None:
            return config.updated({"weights": self.trainer.shipped()})
        return config
