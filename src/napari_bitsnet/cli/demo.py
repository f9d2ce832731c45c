"""``napari-bitsnet demo``: separate, score and draw bundled examples, or open them in napari."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from napari_bitsnet.cli.batch import BAD_USAGE, FAILURE, warning_lines
from napari_bitsnet.cli.interrupt import Interrupt
from napari_bitsnet.cli.progress import follow
from napari_bitsnet.cli.wording import in_flags

WIDGET = "Separate layers"
"""Name of the dock in the manifest."""


def demo(
    folder: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="DIR", help="Folder for the results; created if it does not exist."
        ),
    ] = Path("bitsnet-demo"),
    gui: Annotated[bool, typer.Option("--gui", help="Open the simulated X-ray in napari instead.")] = False,
    size: Annotated[int, typer.Option(min=64, max=1024, help="Side of the images, in pixels.")] = 256,
    device: Annotated[str, typer.Option(help="Device: auto, cpu, cuda, cuda:N or mps.")] = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Hide the progress bar.")] = False,
) -> None:
    """Separate bundled examples: an X-ray with two photographs, two mixtures, and a single image.

    The command writes sources as TIFF, demo.png and scores.md. It needs no display, GPU or download. The exit
    code is 1 if a separable case gains less than 3 dB.
    """
    from napari_bitsnet.api.demo import claim_folder
    from napari_bitsnet.api.export.folders import check_writable
    from napari_bitsnet.core.device import resolve_device

    try:
        folder = check_writable(folder)
        resolve_device(device)
        claim_folder(folder)
        code = open_in_napari(folder, size) if gui else separate_all(folder, size, device, quiet)
    except (OSError, ValueError, MemoryError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(BAD_USAGE) from None
    raise typer.Exit(code)


def separate_all(folder: Path, size: int, device: str, quiet: bool) -> int:
    """Run all cases, write and print their scores, and return the exit code."""
    from PIL import Image

    from napari_bitsnet.api.demo import (
        ENOUGH,
        WORDS,
        demo_cases,
        draw_outcomes,
        judge,
        score_table,
        write_outcome,
    )
    from napari_bitsnet.core.writing import atomically

    outcomes = []
    with Interrupt() as interrupt:
        for case in demo_cases(size):
            with warning_lines(case.key, partial(in_flags, task=case.case.task)):
                result = follow(case.start(device, interrupt), case.key, quiet=quiet)
            result.drop_state()
            outcome = judge(case, result)
            write_outcome(outcome, folder)
            outcomes.append(outcome)
            if interrupt.requested:
                break
    table = f"{score_table(outcomes)}\n{WORDS}"
    with atomically(folder / "scores.md") as path:
        path.write_text(table, encoding="utf-8")
    with atomically(folder / "demo.png") as path:
        Image.fromarray(draw_outcomes(outcomes)).save(path, format="PNG")
    typer.echo(table)
    for outcome in outcomes:
        for warning in outcome.result.warnings:
            typer.echo(f"warning: {outcome.demo.key}: {in_flags(warning, outcome.demo.case.task)}", err=True)
    typer.echo(f"Sources, records, demo.png and scores.md are in {folder}")
    short = [outcome for outcome in outcomes if not outcome.passed]
    for outcome in short:
        typer.echo(
            f"error: {outcome.demo.key}: expected an offset-free gain of at least {ENOUGH:g} dB, "
            f"got {outcome.gain:.2f} dB",
            err=True,
        )
    if interrupt.requested:
        return interrupt.exit_code
    return FAILURE if short else 0


def open_in_napari(folder: Path, size: int) -> int:
    """Write the simulated X-ray and its photographs, and open them in napari with the dock."""
    from napari_bitsnet.api.demo import demo_cases, write_inputs

    if importlib.util.find_spec("napari") is None:
        typer.echo(
            "error: Expected napari to be installed, found none: pip install 'napari-bitsnet[all]'", err=True
        )
        return BAD_USAGE
    paths = write_inputs(next(demo_cases(size)), folder)
    files = [path for path in (*paths["mixture"], *paths["guides"]) if path]
    return subprocess.call([sys.executable, "-m", "napari", *files, "--with", "napari-bitsnet", WIDGET])
