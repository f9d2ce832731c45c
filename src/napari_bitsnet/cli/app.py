"""Build the application: one command per registered task, and a few others."""

from __future__ import annotations

from typing import Annotated

import typer

from napari_bitsnet._version import __version__
from napari_bitsnet.cli.batch_table import batch_command
from napari_bitsnet.cli.check import check_command
from napari_bitsnet.cli.convert_weights import convert_weights_command
from napari_bitsnet.cli.demo import demo
from napari_bitsnet.cli.empty_folders import leaves_no_empty_folder
from napari_bitsnet.cli.interrupt import ends_cleanly
from napari_bitsnet.cli.listing import list_entries
from napari_bitsnet.cli.register import register_command
from napari_bitsnet.cli.spike_in import spike_in_command
from napari_bitsnet.cli.task_command import task_command
from napari_bitsnet.cli.train import build_train_app
from napari_bitsnet.cli.unknown_options import TaskCommand
from napari_bitsnet.cli.verbose import VerboseOption
from napari_bitsnet.tasks import TASKS


def build_app() -> typer.Typer:
    """Return the application with all its commands."""
    app = typer.Typer(
        name="napari-bitsnet", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
    )
    app.callback()(_options)
    app.command("demo")(leaves_no_empty_folder(demo))
    app.command("check", cls=TaskCommand)(ends_cleanly()(leaves_no_empty_folder(check_command)))
    app.command("register")(ends_cleanly()(leaves_no_empty_folder(register_command)))
    app.command("spike-in", cls=TaskCommand)(ends_cleanly()(spike_in_command))
    app.command("batch")(leaves_no_empty_folder(batch_command))
    app.command("list")(list_entries)
    app.add_typer(build_train_app(), name="train")
    app.command("convert-weights")(leaves_no_empty_folder(convert_weights_command))
    for name in TASKS:
        app.command(name.replace("_", "-"), cls=TaskCommand)(leaves_no_empty_folder(task_command(name)))
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
    verbose: VerboseOption = False,
) -> None:
    """Separate superimposed images."""
