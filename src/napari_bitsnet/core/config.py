"""Settings: declared once, with default, range, step and description; everything else is generated.

The form, the command line, validation, the documentation and the provenance record all read the same
frozen pydantic models. Field types come from a short list that all of these can carry: ``bool``, ``int``,
``float``, ``str``, ``Literal`` of strings, ``Path``, ``tuple[float, ...]`` and the optional of each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_bitsnet.core.aliases import with_present_names
from napari_bitsnet.core.spelling import suggestion

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


class UnknownSetting(ValueError):
    """Settings were named that there are not.

    Parameters
    ----------
    names : list of str
        The unknown ones.
    known : list of str
        Those there are.
    also : sequence of str, optional
        Other names that may have been meant, which are no settings and are not listed.
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

    def updated(self, changes: Mapping[str, Any]) -> Self:
        """Return a validated copy with some settings changed.

        Parameters
        ----------
        changes : mapping of str to value
            Settings by name, which may be a former one; strings are read as the setting's type.

        Raises
        ------
        UnknownSetting
            If a name is unknown (the known ones are listed).
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
    """``name: what is wrong (got value)``; settings that contradict each other have no one name."""
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
