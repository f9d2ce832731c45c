from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

import pytest
from pydantic import ValidationError, model_validator

from napari_bitsnet.core.config import Config, setting


class Example(Config):
    """Settings of every kind."""

    count: int = setting(3, "How many.", ge=1, le=10, step=1)
    weight: float | None = setting(None, "How much.", ge=1e-4, le=1.0, step=1e-4, unit="px")
    kind: Literal["plain", "fancy"] = setting("plain", "Which.")
    values: tuple[float, ...] = setting((), "Which ones.")
    file: Path | None = setting(None, "Where.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.kind == "fancy" and self.count == 1:
            raise ValueError("Expected more than one where it is fancy, got 1.")
        return self


def test_updated_returns_a_checked_copy():
    config = Example()
    changed = config.updated({"count": "5", "weight": 5e-4, "values": [1, 2.5], "file": "a.txt"})
    assert (changed.count, changed.weight, changed.values, changed.file) == (
        5,
        5e-4,
        (1.0, 2.5),
        Path("a.txt").absolute(),
    )
    assert config == Example()


def test_unknown_names_list_the_known_ones():
    with pytest.raises(
        ValueError, match=r"'cuont', 'weihgt'\. Did you .* Known: count, file, kind, values, weight"
    ):
        Example().updated({"weihgt": 1, "cuont": 2})
    with pytest.raises(ValidationError, match="Extra inputs"):
        Example(cuont=2)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"count": 11}, r"count: Input should be less than or equal to 10 \(got 11\)"),
        ({"weight": 0.0}, r"weight: Input should be greater than or equal to 0.0001 \(got 0.0\)"),
        ({"weight": float("nan")}, r"weight: .* \(got nan\)"),
        ({"kind": "odd"}, r"kind: Input should be 'plain' or 'fancy' \(got 'odd'\)"),
        ({"count": "many"}, r"count: .*integer.* \(got 'many'\)"),
        ({"values": [1, "x"]}, r"values.1: .* \(got 'x'\)"),
        ({"count": 0, "weight": 2}, "count: .*; weight: "),
        (
            {"kind": "fancy", "count": 1},
            "Setting out of range: Expected more than one where it is fancy, got 1.$",
        ),
    ],
)
def test_values_out_of_range_are_refused_by_name(changes, text):
    with pytest.raises(ValueError, match=text):
        Example().updated(changes)


def test_settings_cannot_be_changed_in_place():
    with pytest.raises(ValidationError, match="frozen"):
        Example().count = 4


def test_defaults_are_checked_too():
    class Wrong(Config):
        count: int = setting(0, "How many.", ge=1, le=2, step=1)

    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        Wrong()


def test_a_setting_carries_what_forms_need():
    field = Example.model_fields["weight"]
    assert field.description == "How much."
    assert field.json_schema_extra == {"step": 1e-4, "unit": "px"}


def test_json_round_trip():
    config = Example(count=7, weight=0.25, values=(1.0, 0.5), file=Path("b.txt"))
    assert Example.model_validate_json(config.model_dump_json()) == config
