"""Options that choose a part of the files IN: an image, a page, slices."""

from __future__ import annotations

import inspect
from typing import Annotated

import typer

PARTS = ("series", "page", "slices")
"""Names as `read_image` has them."""


def part_parameters() -> list[inspect.Parameter]:
    """Return --series, --page and --slice."""
    options = {
        "series": (
            int | None,
            typer.Option(
                "--series",
                min=0,
                help="Which image of a file or DICOM folder with several, from 0.",
                show_default=False,
            ),
        ),
        "page": (
            int | None,
            typer.Option(
                "--page", min=0, help="Which page of a file, from 0: one plane.", show_default=False
            ),
        ),
        "slices": (
            str | None,
            typer.Option(
                "--slice",
                metavar="N|A:B",
                help="Which slices of a stack, from 0: 5, 10:20, ::2.",
                show_default=False,
            ),
        ),
    }
    return [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, option]
        )
        for name, (kind, option) in options.items()
    ]
