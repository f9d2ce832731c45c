"""``napari-bitsnet train``: fit the weights of trained methods to one's own images."""

from __future__ import annotations

import inspect
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_bitsnet.cli.interrupt import Interrupt
from napari_bitsnet.cli.options import config_parameters, given_values
from napari_bitsnet.cli.training_files import claim_training
from napari_bitsnet.training.settings import FeedforwardTraining

train_app = typer.Typer(no_args_is_help=True, help="Fit the weights of trained methods to your own images.")


def _train_feedforward(
    data: list[Path], out: Path, folder: Path | None, device: str, quiet: bool, **values: Any
) -> None:
    """Train the networks of the method feedforward on folders or zips of images; a stopped run goes on."""
    from tqdm import tqdm

    from napari_bitsnet.training.feedforward import train_feedforward

    config = FeedforwardTraining(**given_values(values, FeedforwardTraining))
    folder = out.with_suffix("") if folder is None else folder
    try:
        claim_training(out, folder, [*data, config.weights, config.trunk])
        with (
            Interrupt() as interrupt,
            closing(train_feedforward(data, out, config, folder=folder, device=device)) as steps,
            tqdm(unit="step", disable=quiet, bar_format="{desc} [{rate_fmt}]") as bar,
        ):
            for step in steps:
                minutes = step.seconds_left / 60
                bar.set_description_str(f"step {step.step}, loss {step.loss:.3f}, {minutes:.0f} min left")
                bar.update()
                if step.validation and not quiet:
                    scores = ", ".join(f"{name} {value:.3f}" for name, value in step.validation.items())
                    bar.write(f"step {step.step}: held-out {scores}")
                if interrupt.requested:  # between two steps: half a step would be taken twice
                    break
    except (OSError, ValueError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    if interrupt.requested:
        typer.echo(
            f"Stopped. The weights so far are in {out}; the same command goes on from there.", err=True
        )
        raise typer.Exit(interrupt.exit_code)
    typer.echo(f"Weights written to {out}.")


def _parameters() -> list[inspect.Parameter]:
    keyword = inspect.Parameter.KEYWORD_ONLY
    options: dict[str, tuple[Any, Any]] = {
        "data": (list[Path], typer.Argument(help="Folders or zips of images.")),
        "out": (Path, typer.Option("--out", "-o", help="Weights to write, a .safetensors file.")),
        "folder": (
            Path | None,
            typer.Option(help="For checkpoints, loss curve and pictures; default: named as the weights."),
        ),
        "device": (str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")),
        "quiet": (bool, typer.Option("--quiet", "-q", help="Show no progress.")),
    }
    defaults = {"folder": None, "device": "auto", "quiet": False}
    own = [
        inspect.Parameter(
            name,
            keyword,
            default=defaults.get(name, inspect.Parameter.empty),
            annotation=Annotated[kind, option],
        )
        for name, (kind, option) in options.items()
    ]
    return [*own, *config_parameters(FeedforwardTraining, "Training")]


_train_feedforward.__signature__ = inspect.Signature(_parameters())  # type: ignore[attr-defined]
_train_feedforward.__annotations__ = {p.name: p.annotation for p in _parameters()}
train_app.command("feedforward")(_train_feedforward)


@train_app.callback()
def _group() -> None:
    """Keep the name of the method as a sub-command while there is only one."""
