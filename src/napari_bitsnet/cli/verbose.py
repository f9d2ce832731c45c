"""Option ``--verbose``: print what the package logs on stderr."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

LOGGER = "napari_bitsnet"
"""Name of the package's logger, the parent of those of its modules."""


def show_log(wanted: bool) -> None:
    """Print each record of the package's logger with its time and module, until the program ends."""
    if not wanted:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s"))
    logger = logging.getLogger(LOGGER)
    logger.setLevel(logging.DEBUG)
    logger.handlers = [handler]


def log_is_shown() -> bool:
    """Return whether this process prints the log; processes that work for it should, too."""
    return bool(logging.getLogger(LOGGER).handlers)


VerboseOption = Annotated[
    bool,
    typer.Option(
        "--verbose",
        callback=show_log,
        is_eager=True,
        help="Log files, methods, stages and their times on stderr.",
        show_default=False,
    ),
]
"""The option, which stands before the name of the command."""
