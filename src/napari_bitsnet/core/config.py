"""Settings are declared once, with default, range, step and description; everything else is generated.

The form, the command line, validation, the documentation and the provenance record all read the same
frozen pydantic models. Field types come from a short list that all of these support: ``bool``, ``int``,
``float``, ``str``, ``Literal`` of strings, ``Path``, ``tuple[float, ...]`` and the optional of each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from napari_bitsnet.core.aliases import with_present_names
from napari_bitsnet.core.spelling import suggestion

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


class UnknownSetting(ValueError):
    """Raised if a setting does not exist.

    Parameters
    ----------
    names : list of str
        Unknown names.
    known : list of str
        Names of the existing settings.
    also : sequence of str, optional
        Other names for suggestions, which are no settings and are not listed.
    """

    def __init__(self, names: list[str], known: list[str], also: Sequence[str] = ()) -> None:
        self.names, self.known = names, known
        guesses = "".join(suggestion(name, [*known, *also]) for name in names)
        super().__init__(
            f"Unknown setting {', '.join(map(repr, names))}.{guesses} Known: {', '.join(known)}."
        )


class Config(BaseModel):
    """Frozen settings that reject unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    @field_validator("*")
    @classmethod
    def _absolute(cls, value: Any) -> Any:
        """Make paths absolute: a record is run again, and workers run, in other folders."""
        return value.expanduser().absolute() if isinstance(value, Path) else value

    def updated(self, changes: Mapping[str, Any]) -> Self:
        """Return a validated copy with some settings changed.

        Parameters
        ----------
        changes : mapping of str to value
            Settings by current or former name; strings are converted to the setting's type.

        Raises
        ------
        UnknownSetting
            If a name is unknown; the message lists the known names.
        ValueError
            If a value is out of its range.
        """
        known = type(self).model_fields
        changes = with_present_names(changes, known)
        unknown = sorted(set(changes) - set(known))
        if unknown:
            raise UnknownSetting(unknown, sorted(known))
        try:
            return type(self).model_validate({**self.model_dump(), **changes})
        except ValidationError as error:
            raise ValueError(f"Setting out of range: {'; '.join(map(_in_words, error.errors()))}.") from None


def _in_words(problem: ErrorDetails) -> str:
    """Return ``name: error (got value)``; errors about contradicting settings have no name."""
    message = problem["msg"].removeprefix("Value error, ").removesuffix(".")
    if not problem["loc"]:
        return message
    return f"{'.'.join(map(str, problem['loc']))}: {message} (got {problem['input']!r})"


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
        Value that is used if the user sets none.
    description : str
        One sentence that becomes the tooltip, the help text and the documentation.
    ge, le : float, optional
        Inclusive bounds. Every number has both; a contract test checks this.
    step : float, optional
        Step of the spin box.
    unit : str
        Unit shown behind the value.
    """
    return Field(
        default, description=description, ge=ge, le=le, json_schema_extra={"step": step, "unit": unit}
    )
