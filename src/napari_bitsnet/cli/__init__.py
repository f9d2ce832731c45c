"""The command line: one command a registered task, and a few for everything else.

A thin face of `napari_bitsnet.api`; it contains no algorithm, and building it loads no torch.
"""

from __future__ import annotations

from typing import Annotated

import typer

from napari_bitsnet._version import __version__


def build_app() -> typer.Typer:
    """Return the application with all its commands."""
    from napari_bitsnet.cli.check import check_command
    from napari_bitsnet.cli.demo import demo
    from napari_bitsnet.cli.listing import list_entries
    from napari_bitsnet.cli.register import register_command
    from napari_bitsnet.cli.spike_in import spike_in_command
    from napari_bitsnet.cli.task_command import task_command
    from napari_bitsnet.cli.train import train_app
    from napari_bitsnet.cli.unknown_options import TaskCommand
    from napari_bitsnet.tasks import TASKS

    app = typer.Typer(
        name="napari-bitsnet",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    app.command("demo")(demo)
    app.command("check")(check_command)
    app.command("register")(register_command)
    app.command("spike-in")(spike_in_command)
    app.command("list")(list_entries)
    app.add_typer(train_app, name="train")
    for name in TASKS:
        app.command(name.replace("_", "-"), cls=TaskCommand)(task_command(name))
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take superimposed images apart."""


def main() -> None:
    """Run the command line; it ends the program with its exit code."""
    from napari_bitsnet.core.device import keep_freed_memory, wait_politely

    keep_freed_memory()
    wait_politely()
    build_app()()
