"""One setting of a `Config` as a magicgui widget that gives back exactly what it was given.

Left to itself magicgui rounds 5e-4 to 0.0, caps integers at 999, turns an absent value into 0 and raises on
tuples; so every kind of field is made here by hand, with the bounds and the step that its `Config` declares.
"""

from __future__ import annotations

import html
import types
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Le
from magicgui.widgets import CheckBox, ComboBox, Container, FileEdit, FloatSpinBox, LineEdit, SpinBox
from pydantic.fields import FieldInfo

from napari_bitsnet.widgets.forms.decimal_commas import accept_commas
from napari_bitsnet.widgets.forms.elided import Elided

MINIMUM_WIDTH = 70
"""Pixels; spin boxes would otherwise be as wide as their largest allowed number."""


def tooltip(text: str) -> str:
    """Return `text` so that Qt wraps it: rich text is broken into lines, plain text is not."""
    return f"<p>{html.escape(text)}</p>"


def spoken(name: str) -> str:
    """``"size_limit"`` -> ``"Size limit"``, ``"n_sources"`` -> ``"Sources"``."""
    return name.removeprefix("n_").replace("_", " ").capitalize()


def label_of(name: str, info: FieldInfo) -> str:
    """What stands in front of a setting's field: ``"Size limit (px)"``."""
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    unit = extra.get("unit") or ""
    return f"{spoken(name)} ({unit})" if unit else spoken(name)


class ExactFloatBox(FloatSpinBox):
    """A spin box with as many decimals as the step or the value needs, so that no value is rounded."""

    def set_value(self, value: float) -> None:
        """Show `value`, with more decimals if it has more."""
        self.native.setDecimals(max(self.native.decimals(), _decimals(value)))
        super().set_value(value)


class NumbersEdit(LineEdit):
    """Any number of floats, separated by commas; or by semicolons, and then with points or decimal commas."""

    def get_value(self) -> tuple[float, ...]:  # type: ignore[override]
        """Return the numbers.

        Raises
        ------
        ValueError
            If the text is not numbers separated by commas or semicolons.
        """
        text = str(super().get_value())
        parts = text.replace(",", ".").split(";") if ";" in text else text.split(",")
        try:
            return tuple(float(part) for part in parts if part.strip())
        except ValueError:
            raise ValueError(
                f"Expected numbers separated by commas, got {text!r}. Numbers with decimal commas are "
                "separated by semicolons."
            ) from None

    def set_value(self, value: tuple[float, ...]) -> None:
        """Show the numbers exactly."""
        super().set_value(", ".join(repr(float(number)) for number in value))


class PathEdit(FileEdit):
    """A path as it was given; magicgui's own field makes it absolute."""

    def set_value(self, value: Any) -> None:
        """Show the path."""
        self.line_edit.value = str(value)


class OptionalEdit(Container):
    """A tick box in front of a field; without the tick the value is None."""

    def __init__(self, inner: Any, **kwargs: Any) -> None:
        self._inner = inner
        self._given = CheckBox(text="", value=False, tooltip="Tick to set a value")
        inner.enabled = False
        super().__init__(widgets=[self._given, inner], layout="horizontal", labels=False, **kwargs)
        self.margins = (0, 0, 0, 0)
        self._given.changed.connect(self._enable)

    def _enable(self, given: bool) -> None:
        self._inner.enabled = given

    @property
    def value(self) -> Any:
        """The inner field's value, or None."""
        return self._inner.value if self._given.value else None

    @value.setter
    def value(self, value: Any) -> None:
        self._given.value = value is not None
        self._inner.enabled = value is not None
        if value is not None:
            self._inner.value = value


def make_field(name: str, info: FieldInfo) -> Any:
    """Return the widget for one field of a `Config`: it has ``value`` and the signal ``changed``.

    Parameters
    ----------
    name : str
        Name of the setting.
    info : FieldInfo
        From the ``Config``'s ``model_fields``.

    Raises
    ------
    TypeError
        If the field's type is not on the short list that forms, command line and JSON can carry.
    """
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    options: dict[str, Any] = {
        "name": name,
        "label": label_of(name, info),
        "tooltip": tooltip(info.description or ""),
    }
    kind, optional = _without_none(info.annotation)
    if not optional:
        return _plain_field(kind, info, extra, options)
    inner = _plain_field(kind, info, extra, {"name": f"{name}_value", "tooltip": options["tooltip"]})
    return OptionalEdit(inner, **options)


def _plain_field(kind: Any, info: FieldInfo, extra: dict, options: dict[str, Any]) -> Any:
    low: Any = next((m.ge for m in info.metadata if isinstance(m, Ge)), None)
    high: Any = next((m.le for m in info.metadata if isinstance(m, Le)), None)
    if kind is bool:
        label = options.pop("label")  # a button shows its text: both at once are warned of
        return CheckBox(text=label, **options)
    box: SpinBox | ExactFloatBox
    if kind is int:
        box = SpinBox(min=low, max=high, step=int(extra.get("step") or 1), value=low, **options)
    elif kind is float:
        step = float(extra.get("step") or 0.1)
        box = ExactFloatBox(min=low, max=high, step=step, value=low, **options)
        box.native.setDecimals(max(_decimals(step), _decimals(low or 0.0)))
        accept_commas(box.native)
    elif get_origin(kind) is Literal:
        menu = ComboBox(choices=list(get_args(kind)), **options)
        menu.native.setMinimumWidth(MINIMUM_WIDTH)
        Elided(menu.native)
        return menu
    elif kind is str:
        return LineEdit(**options)
    elif kind is Path:
        return PathEdit(**options)
    elif get_origin(kind) is tuple and _unbounded(get_args(kind)[0]) is float:
        return NumbersEdit(**options)
    else:
        raise TypeError(
            "Expected a setting of type bool, int, float, str, Literal, Path, tuple of floats or an "
            f"optional of these, got {kind} for {options['name']!r}."
        )
    box.native.setMinimumWidth(MINIMUM_WIDTH)
    return box


def _without_none(kind: Any) -> tuple[Any, bool]:
    """Split ``X | None`` into X and True."""
    if get_origin(kind) in (Union, types.UnionType):
        rest = [k for k in get_args(kind) if k is not type(None)]
        if len(rest) == 1 and len(rest) < len(get_args(kind)):
            return rest[0], True
    return kind, False


def _unbounded(kind: Any) -> Any:
    """``Annotated[float, Ge(0)]`` -> ``float``."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _decimals(value: float) -> int:
    """Digits behind the point that write `value` exactly as Python's repr does."""
    mantissa, _, exponent = repr(float(value)).partition("e")
    fraction = mantissa.partition(".")[2]
    digits = 0 if fraction in ("", "0") else len(fraction)
    return max(0, digits - int(exponent or 0))
