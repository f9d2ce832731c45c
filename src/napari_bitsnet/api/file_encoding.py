"""The setting ``encoding`` of a run as the mixtures' files state it, before the run, so that its record says
which it was."""

from __future__ import annotations

from collections.abc import Iterable

from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.tasks import TASKS

NAME = "encoding"


def follows_files(settings: RunSettings) -> bool:
    """Return True if the task has an encoding and it is ``"auto"``, chosen or by default."""
    field = TASKS.get(settings.task).Config.model_fields.get(NAME)
    return field is not None and settings.options.get(NAME, field.default) == "auto"


def with_file_encoding(settings: RunSettings, stated: Iterable[str | None]) -> RunSettings:
    """Return settings with the encoding that files state in place of ``"auto"``.

    Parameters
    ----------
    settings : RunSettings
        Of the run.
    stated : iterable of str or None
        `ImageFile.encoding` of each of the mixtures that are coloured; those of grey ones are left out, since
        profiles of grey measurements rarely mean what they say.

    Returns
    -------
    RunSettings
        The same where files state nothing, differ, or state another curve than sRGB's: then the task decides.
    """
    found = set(stated)
    if not follows_files(settings) or found not in ({"srgb"}, {"linear"}):
        return settings
    return settings.updated({"options": {**settings.options, NAME: found.pop()}})
