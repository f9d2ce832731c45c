"""Generate command-line options from the settings of the `Config`s."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from annotated_types import Ge, Le
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from napari_bitsnet.core.aliases import present_name
from napari_bitsnet.core.config import Config, UnknownSetting

_METAVARS = {int: "INTEGER", float: "NUMBER", str: "TEXT", Path: "PATH", bool: "true|false"}


@dataclass(frozen=True)
class Given:
    """Given value, which distinguishes ``none`` from a missing option."""

    value: Any


def config_parameters(
    config: type[Config], panel: str, *, only: Iterable[str] | None = None
) -> list[inspect.Parameter]:
    """Return one option for each setting: ``n_sources`` becomes ``--n-sources``.

    Parameters
    ----------
    config : type of Config
        Settings from which the options are generated.
    panel : str
        Heading in the help.
    only : iterable of str, optional
        Names of the settings; by default all.

    Returns
    -------
    list of inspect.Parameter
        Keyword-only, None by default: missing options override nothing.
    """
    names = config.model_fields if only is None else only
    return [_parameter(name, config.model_fields[name], panel) for name in names]


def given_values(values: Mapping[str, Any], config: type[Config]) -> dict[str, Any]:
    """Return the settings of `config` that were given among a command's parameters."""
    found: dict[str, Any] = {}
    for name in config.model_fields:
        value = values.get(name)
        if value is not None:
            found[name] = value.value if isinstance(value, Given) else value
    return found


def takes_settings(
    config: type[Config], panel: str, *, only: Sequence[str]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command options for some settings of `config`: those that were given come as its ``options``, a
    dict.

    Parameters
    ----------
    config, panel, only
        As in `config_parameters`.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(function, eval_str=True).parameters.values()

        @wraps(function)
        def command(**values: Any) -> None:
            given = {name: values.pop(name) for name in only}
            function(**values, options=given_values(given, config))

        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own if p.name != "options"]
        parameters += config_parameters(config, panel, only=only)
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in parameters}
        return command

    return decorate


def describe_setting(field: FieldInfo, default: Any = inspect.Parameter.empty) -> str:
    """Describe a setting in one line: description, bounds, unit and default."""
    default = field.default if default is inspect.Parameter.empty else default
    low, high = _bounds(field)
    unit = (field.json_schema_extra or {}).get("unit") if isinstance(field.json_schema_extra, dict) else ""
    notes = [] if low is None or high is None else [f"{_plain(low)} to {_plain(high)} {unit}".rstrip()]
    notes.append(f"default {_plain(default)}")
    return f"{field.description} ({'; '.join(notes)})"


def metavar(field: FieldInfo) -> str:
    """Return the placeholder of a value in the help: ``INTEGER``, ``linear|attenuation``,
    ``NUMBER,NUMBER,…``."""
    kind = _kind(field.annotation)
    if get_origin(kind) is Literal:
        return "|".join(str(choice) for choice in get_args(kind))
    if get_origin(kind) is tuple:
        return "NUMBER,NUMBER,…"
    return _METAVARS.get(kind, "VALUE")


def read_value(text: str, name: str, field: FieldInfo) -> Any:
    """Parse a typed text as a setting's value.

    Parameters
    ----------
    text : str
        Typed text; ``none`` for no value if the setting allows it, numbers of a tuple separated by commas.
    name : str
        Name of the setting, for the message.
    field : FieldInfo
        Type and bounds.

    Raises
    ------
    ValueError
        If the text is no valid value, or out of range.
    """
    bounded: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    adapter: TypeAdapter[Any] = TypeAdapter(bounded)
    kind = _kind(field.annotation)
    if text.strip().lower() == "none" and NoneType in get_args(field.annotation):
        return None
    try:
        if get_origin(kind) is tuple:
            body = text.strip().strip("[]()")
            return adapter.validate_python(json.loads(f"[{body}]"))
        return adapter.validate_python(text)
    except json.JSONDecodeError:
        raise ValueError(f"Expected numbers separated by commas for {name}, got {text!r}.") from None
    except ValidationError as error:
        reasons = "; ".join(entry["msg"] for entry in error.errors())
        raise ValueError(f"{name}: {reasons} (got {text!r}).") from None


def read_assignments(assignments: Iterable[str], config: type[Config]) -> dict[str, Any]:
    """Read ``name=value`` strings as settings of `config`.

    Raises
    ------
    UnknownSetting
        If a name is unknown.
    ValueError
        If a string has no ``=`` or a value is out of range.
    """
    settings: dict[str, Any] = {}
    for assignment in assignments:
        name, separator, text = (part.strip() for part in assignment.partition("="))
        if not separator or not name:
            raise ValueError(f"Expected name=value, got {assignment!r}.")
        name = present_name(name, config.model_fields)
        if name not in config.model_fields:
            raise UnknownSetting([name], sorted(config.model_fields))
        settings[name] = read_value(text, name, config.model_fields[name])
    return settings


def _parameter(name: str, field: FieldInfo, panel: str) -> inspect.Parameter:
    flag = "--" + name.replace("_", "-")
    text = describe_setting(field)
    if _kind(field.annotation) is bool:
        option = typer.Option(f"{flag}/--no-{flag[2:]}", help=text, show_default=False, rich_help_panel=panel)
        annotation: Any = Annotated[bool | None, option]
    else:
        option = typer.Option(
            flag,
            parser=_parser(name, field),
            metavar=metavar(field),
            help=text,
            show_default=False,
            rich_help_panel=panel,
        )
        annotation = Annotated[Given | None, option]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _parser(name: str, field: FieldInfo) -> Callable[[str], Given]:
    def parse(text: str) -> Given:
        try:
            return Given(read_value(text, name, field))
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    return parse


def _kind(annotation: Any) -> Any:
    """Return the type inside an optional."""
    if get_origin(annotation) in (Union, UnionType):
        return next(kind for kind in get_args(annotation) if kind is not NoneType)
    return annotation


def _bounds(field: FieldInfo) -> tuple[Any, Any]:
    low = next((m.ge for m in field.metadata if isinstance(m, Ge)), None)
    high = next((m.le for m in field.metadata if isinstance(m, Le)), None)
    return low, high


def _plain(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(f"{entry:g}" for entry in value)
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
