"""Every setting goes into the form and comes out of it unchanged."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from annotated_types import Ge, Le

from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.core.config import Config, setting
from napari_bitsnet.methods import METHODS
from napari_bitsnet.tasks import TASKS
from napari_bitsnet.widgets.forms.fields import spoken
from napari_bitsnet.widgets.forms.form import ConfigForm


class Everything(Config):
    """One setting of every kind that settings may have."""

    flag: bool = setting(True, "A switch.")
    count: int = setting(5, "Many.", ge=0, le=2**31 - 1, step=1)
    rate: float = setting(5e-4, "Finer than its step.", ge=0, le=1, step=1e-3, unit="px")
    limit: float | None = setting(None, "Maybe.", ge=1e-9, le=1e9, step=1.0)
    steps: int | None = setting(None, "Maybe many.", ge=1, le=1_000_000, step=100)
    kind: Literal["x", "y"] = setting("y", "One of two.")
    other: Literal["x", "y"] | None = setting("y", "One of two, or none.")
    word: str = setting("s", "Any text.")
    path: Path = setting(Path("a/b"), "A file.")
    maybe: Path | None = setting(None, "A file, or none.")
    numbers: tuple[float, ...] = setting((0.6, 1 / 3), "Any number of numbers.")
    bounded: tuple[Annotated[float, Ge(0), Le(1)], ...] | None = setting(None, "Within bounds, or none.")


EXTREME = Everything(
    flag=False,
    count=2**31 - 1,
    rate=1 / 3,
    limit=1e-9,
    steps=1_000_000,
    kind="x",
    other=None,
    word="",
    path=Path("/x"),
    maybe=Path("../y z"),
    numbers=(),
    bounded=(1e-12, 1.0),
)


def every_config():
    yield pytest.param(RunSettings(), id="run")
    yield pytest.param(Everything(), id="everything")
    yield pytest.param(EXTREME, id="extreme")
    for kind, registry in (("task", TASKS), ("method", METHODS)):
        for name in registry:
            entry = registry.get(name)
            yield pytest.param(entry.Config(), id=f"{kind}-{name}")
            for preset, config in getattr(entry, "presets", {}).items():
                yield pytest.param(config, id=f"{kind}-{name}-{preset}")


CARRIED = ("options", "settings")  # mappings of RunSettings; the form of a task or method holds them


@pytest.mark.parametrize("config", every_config())
def test_settings_survive_the_form(qapp, config):
    shown = [name for name in type(config).model_fields if name not in CARRIED]
    assert ConfigForm(config, only=shown).config == config
    form = ConfigForm(type(config)(), only=shown)
    form.config = config
    assert form.config == config
    assert form.changes(config) == {}


def test_changes_are_told_once_and_named(qapp):
    form, told = ConfigForm(Everything()), []
    form.changed.connect(told.append)
    form.config = EXTREME
    assert len(told) == 1
    form.config = Everything()
    form.field("rate").value = 0.25
    form.field("steps").value = 300
    assert form.changes(Everything()) == {"rate": 0.25, "steps": 300}
    assert len(told) >= 3


def test_numbers_keep_their_bounds_steps_and_units(qapp):
    form = ConfigForm(Everything())
    rate, count = form.field("rate"), form.field("count")
    assert (rate.min, rate.max, rate.step) == (0, 1, 1e-3)
    assert (count.min, count.max, count.step) == (0, 2**31 - 1, 1)
    assert rate.label == "Rate (px)"
    assert "Finer than its step." in rate.tooltip


def test_absent_is_not_zero(qapp):
    field = ConfigForm(Everything()).field("limit")
    assert field.value is None
    field.value = 2.5
    assert field.value == 2.5
    field.value = None
    assert field.value is None


def test_text_that_is_no_numbers_is_refused_with_what_was_expected(qapp):
    form = ConfigForm(Everything())
    form.field("numbers").native.setText("1, two")
    with pytest.raises(ValueError, match="Expected numbers separated by commas, got '1, two'"):
        _ = form.config


def test_only_some_settings(qapp):
    form = ConfigForm(EXTREME, only=["flag", "absent"])
    assert form.config == EXTREME
    with pytest.raises(ValueError, match=r"No setting 'count' in this form. It has: flag"):
        form.field("count")


def test_another_kind_of_settings_is_refused(qapp):
    with pytest.raises(TypeError, match="Expected Everything, got RunSettings"):
        ConfigForm(Everything()).config = RunSettings()


def test_a_kind_of_setting_that_not_all_faces_carry_is_refused(qapp):
    class Odd(Config):
        table: dict[str, int] = setting({}, "A mapping.")

    with pytest.raises(TypeError, match=r"got dict\[str, int\] for 'table'"):
        ConfigForm(Odd())


def test_names_as_people_read_them():
    assert spoken("n_sources") == "Sources"
    assert spoken("size_limit") == "Size limit"
