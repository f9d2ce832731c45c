"""Options generated from settings: every kind, both ways, bounds, nothing given."""

from pathlib import Path
from typing import Literal

import pytest
import typer
from typer.testing import CliRunner

from napari_bitsnet.api import RunSettings
from napari_bitsnet.cli.options import (
    config_parameters,
    describe_setting,
    given_values,
    metavar,
    read_assignments,
    read_value,
)
from napari_bitsnet.core.config import Config, setting
from napari_bitsnet.methods import METHODS
from napari_bitsnet.tasks import TASKS


class Kinds(Config):
    flag: bool = setting(True, "A flag.")
    count: int = setting(3, "A count.", ge=1, le=2**31 - 1, step=1)
    rate: float = setting(5e-4, "A rate.", ge=0, le=1, step=1e-4, unit="px")
    word: str = setting("auto", "A word.")
    choice: Literal["one", "two"] = setting("one", "A choice.")
    file: Path | None = setting(None, "A file.")
    box: tuple[float, ...] | None = setting(None, "A box.")
    limit: float | None = setting(2.5, "A limit.", ge=0.5, le=9, step=0.5)


CHANGED = Kinds(
    flag=False, count=7, rate=1e-9, word="12", choice="two", file=Path("a b.tif"), box=(1.0, -2.5), limit=None
)


def parse(config, arguments):
    """Send arguments through typer and return what was given."""
    found = {}

    def command(**values):
        found.update(given_values(values, config))

    import inspect

    parameters = config_parameters(config, "Panel")
    command.__signature__ = inspect.Signature(parameters)
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    app = typer.Typer()
    app.command()(command)
    outcome = CliRunner().invoke(app, arguments, env={"COLUMNS": "400", "NO_COLOR": "1"})
    return outcome, found


def to_arguments(config):
    """All settings as options."""
    arguments = []
    for name, value in config:
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            arguments.append(f"--{flag}" if value else f"--no-{flag}")
        elif isinstance(value, tuple):
            arguments += [f"--{flag}", ",".join(map(repr, value))]
        else:
            arguments += [f"--{flag}", "none" if value is None else str(value)]
    return arguments


def plain_configs():
    """Settings of every task and method, with the presets; and one of each kind."""
    yield pytest.param(Kinds(), id="kinds")
    yield pytest.param(CHANGED, id="kinds-changed")
    yield pytest.param(Kinds(choice="one", word="none"), id="kinds-none")
    for registry in (TASKS, METHODS):
        for name in registry:
            entry = registry.get(name)
            yield pytest.param(entry.Config(), id=name)
            for preset, config in getattr(entry, "presets", {}).items():
                yield pytest.param(config, id=f"{name}-{preset}")


@pytest.mark.parametrize("config", list(plain_configs()))
def test_settings_go_through_the_command_line_unchanged(config):
    outcome, found = parse(type(config), to_arguments(config))
    assert outcome.exit_code == 0, outcome.output
    assert type(config)().updated(found) == config


@pytest.mark.parametrize("config", list(plain_configs()))
def test_settings_go_through_assignments_unchanged(config):
    pairs = [f"{name}={value}" for name, value in config.model_dump(mode="json").items()]
    assert type(config)().updated(read_assignments(pairs, type(config))) == config


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("count", "Expected name=value, got 'count'"),
        ("=3", "Expected name=value, got '=3'"),
        ("weight=3", "Unknown setting 'weight'. Known: box, choice, count"),
        ("count=0", "count: Input should be greater than or equal to 1"),
    ],
)
def test_bad_assignments(assignment, message):
    with pytest.raises(ValueError, match=message):
        read_assignments([assignment], Kinds)


def test_what_is_not_given_overrides_nothing():
    assert parse(Kinds, [])[1] == {}
    assert parse(Kinds, ["--limit", "none"])[1] == {"limit": None}
    assert parse(Kinds, ["--no-flag"])[1] == {"flag": False}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--count", "0"], "count: Input should be greater than or equal to 1 (got '0')"),
        (["--count", "many"], "count: Input should be a valid integer"),
        (["--rate", "1.5"], "rate: Input should be less than or equal to 1"),
        (["--choice", "three"], "choice: Input should be 'one' or 'two'"),
        (["--box", "1,x"], "Expected numbers separated by commas for box, got '1,x'"),
        (["--count", "none"], "count: Input should be a valid integer"),
    ],
)
def test_bad_values_are_bad_usage(arguments, message):
    outcome, _ = parse(Kinds, arguments)
    assert outcome.exit_code == 2
    words = " ".join(
        outcome.output.replace("│", " ").split()
    )  # errors stand in a box, whose lines are wrapped
    assert message in words


def test_help_tells_kind_bounds_unit_and_default():
    fields = Kinds.model_fields
    assert describe_setting(fields["count"]) == "A count. (1 to 2147483647; default 3)"
    assert describe_setting(fields["rate"]) == "A rate. (0 to 1 px; default 0.0005)"
    assert describe_setting(fields["flag"], False) == "A flag. (default false)"
    assert describe_setting(fields["box"], (1.0, 2.0)) == "A box. (default 1,2)"
    assert [metavar(f) for f in fields.values()] == [
        "true|false",
        "INTEGER",
        "NUMBER",
        "TEXT",
        "one|two",
        "PATH",
        "NUMBER,NUMBER,…",
        "NUMBER",
    ]
    output = parse(Kinds, ["--help"])[0].output
    assert "A rate. (0 to 1 px; default 0.0005)" in output
    assert "Panel" in output


def test_a_part_of_the_settings():
    names = [p.name for p in config_parameters(RunSettings, "Run", only=("seed", "axes"))]
    assert names == ["seed", "axes"]


@pytest.mark.parametrize("text", ["1,2", "[1, 2]", "(1,2)", " 1 , 2 "])
def test_tuples_in_any_brackets(text):
    assert read_value(text, "box", Kinds.model_fields["box"]) == (1.0, 2.0)
