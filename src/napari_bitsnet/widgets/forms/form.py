"""A form for any `Config`: one field a setting, made from its declaration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from magicgui.widgets import Container

from napari_bitsnet.core.config import Config
from napari_bitsnet.widgets.forms.fields import make_field
from napari_bitsnet.widgets.forms.rows import labelled, widest


class ConfigForm(Container):
    """Fields for the settings of a `Config`; ``changed`` is emitted at any change.

    Parameters
    ----------
    config : Config
        Its values are shown at first; its class gives names, kinds, bounds, steps and tooltips.
    only : sequence of str, optional
        Settings to show; the others keep the values of the last `config` that was set.
    label_width : int, optional
        Pixels; default as wide as the widest label.
    """

    def __init__(
        self, config: Config, *, only: Sequence[str] | None = None, label_width: int | None = None
    ) -> None:
        self._base = config
        known = type(config).model_fields
        shown = list(known) if only is None else [name for name in only if name in known]
        self._fields: dict[str, Any] = {name: make_field(name, known[name]) for name in shown}
        fields = list(self._fields.values())
        width = widest(fields) if label_width is None else label_width
        super().__init__(widgets=[labelled(field, width) for field in fields], labels=False)
        self.margins = (0, 0, 0, 0)
        self._fill(config)

    @property
    def config_class(self) -> type[Config]:
        """Class of the settings."""
        return type(self._base)

    @property
    def config(self) -> Config:
        """The settings as the form shows them.

        Raises
        ------
        ValueError
            If a field cannot be read or is out of range.
        """
        return self._base.updated({name: field.value for name, field in self._fields.items()})

    @config.setter
    def config(self, config: Config) -> None:
        if type(config) is not type(self._base):
            raise TypeError(f"Expected {type(self._base).__name__}, got {type(config).__name__}.")
        self._base = config
        with self.changed.blocked():
            self._fill(config)
        self.changed.emit(self)

    def changes(self, base: Config) -> dict[str, Any]:
        """Settings by name, as plain JSON values, that differ from those of `base`."""
        mine, other = self.config.model_dump(mode="json"), base.model_dump(mode="json")
        return {name: value for name, value in mine.items() if value != other[name]}

    def field(self, name: str) -> Any:
        """The widget of one setting.

        Raises
        ------
        ValueError
            If the form has no such setting; the message lists those it has.
        """
        if name not in self._fields:
            raise ValueError(f"No setting {name!r} in this form. It has: {', '.join(self._fields)}.")
        return self._fields[name]

    def _fill(self, config: Config) -> None:
        for name, field in self._fields.items():
            field.value = getattr(config, name)
