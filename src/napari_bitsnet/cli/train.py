"""``napari-bitsnet train``: one sub-command a registered trainer, generated from its inputs and settings."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_bitsnet.cli.interrupt import Interrupt
from napari_bitsnet.cli.options import config_parameters, given_values
from napari_bitsnet.core.networks.facts import facts_of
from napari_bitsnet.core.networks.held_out import few_held_out, held_out_in_words
from napari_bitsnet.training.protocol import TRAINERS, Input, Trainer

DESCRIPTION = "Fit the weights of trained methods to your own images."


def build_train_app() -> typer.Typer:
    """Return the command with a sub-command for each trainer."""
    app = typer.Typer(no_args_is_help=True, help=DESCRIPTION)

    @app.callback()
    def group() -> None:
        """Keep the names of the trainers, even if there is only one."""

    group.__doc__ = DESCRIPTION
    for name in TRAINERS:
        app.command(name.replace("_", "-"))(train_command(name))
    return app


def train_command(name: str) -> Callable[..., None]:
    """Return the function behind a sub-command, with the signature that typer reads."""
    trainer = TRAINERS.get(name)

    def command(output: Path, folder: Path | None, device: str, quiet: bool, **values: Any) -> None:
        data = {each.name: list(values.pop(_argument(each)) or ()) for each in trainer.inputs}
        config = trainer.Config(**given_values(values, trainer.Config))
        _train(name, data, output, config, folder, device, quiet)

    parameters = _parameters(trainer)
    command.__doc__ = f"{trainer.summary} A stopped training goes on."
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


def _train(
    name: str,
    data: dict[str, list[Path]],
    output: Path,
    config: Any,
    folder: Path | None,
    device: str,
    quiet: bool,
) -> None:
    """Train until the end or until stopped, and print the progress."""
    from tqdm import tqdm

    from napari_bitsnet.api.training import train

    last, finished = 0, ""
    try:
        with (
            Interrupt() as interrupt,
            closing(train(name, data, output, config, folder=folder, device=device)) as steps,
            tqdm(unit="step", disable=quiet, bar_format="{desc} [{rate_fmt}]") as bar,
            _warning_lines(tqdm.external_write_mode),
        ):
            for step in steps:
                if step.note:
                    bar.set_description_str(step.note)
                    finished = step.note if step.step else ""
                else:
                    last = step.step
                    left = _time(step.seconds_left)
                    bar.set_description_str(f"step {step.step}, loss {step.loss:.3f}, {left} left")
                    bar.update()
                if step.scores and not quiet:
                    scores = ", ".join(f"{score} {value:.3f}" for score, value in step.scores.items())
                    bar.write(f"step {step.step}: held-out {scores}")
                if interrupt.requested:  # between two steps: half a step would be taken twice
                    break
    except (OSError, ValueError, MemoryError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    if interrupt.requested:
        so_far = f"The weights so far are in {output}; the" if last else "There are no weights yet; the"
        typer.echo(f"Stopped. {so_far} same command goes on from there.", err=True)
        raise typer.Exit(interrupt.exit_code)
    typer.echo(finished or f"Weights written to {output}.")
    facts = facts_of(output)
    if measured := held_out_in_words(facts):
        typer.echo(measured)
    if few := few_held_out(facts):
        typer.echo(f"warning: {few}", err=True)


@contextmanager
def _warning_lines(aside: Callable[[], Any]) -> Iterator[None]:
    """Print every warning in one line on stderr, with the bar of the progress set `aside`."""

    def show(message: Warning | str, *place: Any) -> None:
        with aside():
            typer.echo(f"warning: {message}", err=True)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show  # type: ignore[assignment]
        yield


def _time(seconds: float) -> str:
    """Return ``"4 min"``, or seconds under a minute."""
    return f"{seconds:.0f} s" if round(seconds) < 60 else f"{seconds / 60:.0f} min"


def _parameters(trainer: type[Trainer]) -> list[inspect.Parameter]:
    """Inputs, common options and settings, as typer reads them."""
    options: list[tuple[str, Any, Any, Any]] = []
    for number, each in enumerate(trainer.inputs):
        if number == 0 and not each.flag:
            kind: Any = typer.Argument(help=each.description, metavar="DATA...")
        else:
            many = "" if each.most == 1 else " Repeat the flag for several."
            kind = typer.Option(f"--{each.name.replace('_', '-')}", help=each.description + many)
        # none is the default also where one is needed: the trainer's check says which, in its own words
        options.append((_argument(each), list[Path] | None, kind, None))
    options += [
        (
            "output",
            Path,
            typer.Option("--out", "-o", help="Weights to write, a .safetensors file."),
            inspect.Parameter.empty,
        ),
        (
            "folder",
            Path | None,
            typer.Option(help="For checkpoints, loss curve and pictures; default: named as the weights."),
            None,
        ),
        ("device", str, typer.Option(help="Device: auto, cpu, cuda, cuda:N or mps."), "auto"),
        ("quiet", bool, typer.Option("--quiet", "-q", help="Show no progress."), False),
    ]
    own = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option]
        )
        for name, kind, option, default in options
    ]
    return [*own, *config_parameters(trainer.Config, "Training")]


def _argument(each: Input) -> str:
    """Name of an input's parameter, which no setting can have."""
    return f"input_{each.name}"
