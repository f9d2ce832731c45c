"""Settings: declared once, with default, range, step and description; everything else is generated.

The form, the command line, validation, the documentation and the provenance record all read the same
frozen pydantic models. Field types come from a short list that all of these can carry: ``bool``, ``int``,
``float``, ``str``, ``Literal`` of strings, ``Path``, ``tuple[float, ...]`` and the optional of each.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class Config(BaseModel):
    """Frozen settings that reject unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    def updated(self, changes: Mapping[str, Any]) -> Self:
        """Return a validated copy with some settings changed.

        Parameters
        ----------
        changes : mapping of str to value
            Settings by name; strings are read as the setting's type.

        Raises
        ------
        ValueError
            If a name is unknown (the known ones are listed) or a value is out of its range.
        """
        known = type(self).model_fields
        unknown = sorted(set(changes) - set(known))
        if unknown:
            raise ValueError(
                f"Unknown setting {', '.join(map(repr, unknown))}. Known: {', '.join(sorted(known))}."
            )
        try:
            return type(self).model_validate({**self.model_dump(), **changes})
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, e['loc']))}: {e['msg']} (got {e['input']!r})" for e in error.errors()
            )
            raise ValueError(f"Setting out of range: {problems}.") from None


def setting(
    default: Any,
    description: str,
    *,
    ge: float | None = None,
    le: float | None = None,
    step: float | None = None,
    unit: str = "",
) -> Any:
    """Declare one setting of a `Config`.

    Parameters
    ----------
    default : any
        Value used when the user says nothing.
    description : str
        One sentence; it becomes the tooltip, the help text and the documentation.
    ge, le : float, optional
        Inclusive bounds. Every number has both (a contract test checks it).
    step : float, optional
        Step of the spin box.
    unit : str
        Unit shown behind the value.
    """
    return Field(
        default,
        description=description,
        ge=ge,
        le=le,
        json_schema_extra={"step": step, "unit": unit},
    )


def parse_assignments(assignments: Iterable[str]) -> dict[str, Any]:
    """Read ``name=value`` strings; values are JSON where they can be, else plain text.

    Raises
    ------
    ValueError
        If a string has no ``=``.

    Examples
    --------
    >>> parse_assignments(["iterations=200", "denoiser=tv", "seconds=none"])
    {'iterations': 200, 'denoiser': 'tv', 'seconds': None}
    """
    settings: dict[str, Any] = {}
    for assignment in assignments:
        name, separator, text = assignment.partition("=")
        if not separator or not name.strip():
            raise ValueError(f"Expected name=value, got {assignment!r}.")
        try:
            value = json.loads(text)
        except json.JSONDecodeError:
            value = {"none": None, "true": True, "false": False}.get(text.strip().lower(), text.strip())
        settings[name.strip()] = value
    return settings
