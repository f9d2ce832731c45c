"""``napari-bitsnet convert-weights``: turn the YTMT authors' weights into a file that the method `ytmt`
takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_bitsnet.cli.outputs import check_file


def convert_weights_command(
    weights: Annotated[
        Path, typer.Argument(metavar="FILE", help="The authors' weights: ytmt_uct_sirs_68_077_00595364.pt.")
    ],
    vgg: Annotated[
        Path,
        typer.Option(
            help="torchvision's weights of VGG-19, which the authors' network needs: vgg19-dcbb9e9d.pth."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write, a .safetensors file.")],
) -> None:
    """Convert the weights of the YTMT paper's authors once, for the task reflection with the method ytmt."""
    from napari_bitsnet.methods.ytmt.conversion import convert_official

    try:
        out = check_file(out, [".safetensors"], inputs=[weights, vgg])
        facts = convert_official(weights, vgg, out)
    except (OSError, ValueError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    typer.echo(f"Weights of {len(facts['kinds'])} kinds written to {out}. {facts['licence']}")
