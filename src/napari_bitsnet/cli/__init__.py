"""The command line: a thin face of `napari_bitsnet.api`; it contains no algorithm, and building it loads no torch.

This module loads nothing by itself, so that Ctrl-C is heard before all that takes time.
"""

from __future__ import annotations


def main() -> None:
    """Run the command line; it ends the program with its exit code."""
    from napari_bitsnet.cli.interrupt import leave_at_once

    leave_at_once()

    import io
    import sys

    from napari_bitsnet.cli.app import build_app
    from napari_bitsnet.core.device import keep_freed_memory, wait_politely

    for stream in (sys.stdout, sys.stderr):
        if isinstance(
            stream, io.TextIOWrapper
        ):  # names of files need not be of letters that the terminal has
            stream.reconfigure(errors="backslashreplace")
    keep_freed_memory()
    wait_politely()
    build_app()()
