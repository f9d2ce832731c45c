"""Preferences on napari's preferences page (from napari 0.9), for all forms that are opened later."""

from __future__ import annotations

from dataclasses import dataclass

PLUGIN = "napari-bitsnet"


@dataclass(frozen=True)
class Preferences:
    """Values as in the manifest's ``configurations``; the defaults here are the manifest's."""

    device: str = "auto"
    preset: str = "balanced"
    size_limit: int = 512
    live: bool = True
    per_second: float = 4.0
    side_by_side: bool = True
    folder: str = ""


def preferences() -> Preferences:
    """Return the preferences, or the defaults if napari has no plugin preferences."""
    try:
        from napari.settings import get_plugin_settings
    except ImportError:
        return Preferences()
    try:
        stored = get_plugin_settings(PLUGIN)
    except KeyError:
        return Preferences()
    return Preferences(
        device=stored.defaults.device,
        preset=stored.defaults.preset,
        size_limit=stored.defaults.size_limit,
        live=stored.preview.live,
        per_second=stored.preview.per_second,
        side_by_side=stored.preview.side_by_side,
        folder=stored.saving.folder,
    )
