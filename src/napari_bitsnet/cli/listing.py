"""List tasks, methods and their settings."""

from __future__ import annotations

from typing import Annotated

import typer

from napari_bitsnet.api import list_methods, list_tasks
from napari_bitsnet.api.choose import fitting_methods
from napari_bitsnet.cli.options import describe_setting
from napari_bitsnet.core.spelling import unknown
from napari_bitsnet.methods import METHODS


def list_entries(
    method: Annotated[
        str | None, typer.Argument(help="A method, to list its settings.", show_default=False)
    ] = None,
    preset: Annotated[str, typer.Option(help="Preset whose values are shown.")] = "balanced",
) -> None:
    """List tasks and methods, or the settings of a method for --set."""
    if method is None:
        typer.echo("Tasks")
        for name, summary in list_tasks().items():
            typer.echo(f"  {name.replace('_', '-'):18}{summary}")
            methods = [f"{m} ({need})" if need else m for m, need in fitting_methods(name).items()]
            typer.echo(f"  {'':18}methods: {', '.join(methods)}")
        typer.echo("\nMethods")
        for name, summary in list_methods().items():
            typer.echo(f"  {name:18}{summary}")
            typer.echo(f"  {'':18}presets: {', '.join(METHODS.get(name).presets)}")
        return
    try:
        entry = METHODS.get(method)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if preset not in entry.presets:
        raise typer.BadParameter(unknown("preset", preset, entry.presets))
    typer.echo(f"{entry.title}: {entry.summary}\nSettings of the preset {preset}:")
    config = entry.presets[preset]
    for name, field in entry.Config.model_fields.items():
        typer.echo(f"  {name:24}{describe_setting(field, getattr(config, name))}")
