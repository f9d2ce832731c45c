"""Command line interface to `napari_bitsnet.api`; it contains no algorithm, and building it loads no torch.

This module imports nothing at the top, so that Ctrl-C works before the slow imports.
"""

from __future__ import annotations


def main() -> None:
    """Run the command line and end the program with its exit code."""
    from napari_bitsnet.cli.interrupt import leave_at_once

    leave_at_once()

    import io
    import sys

    from napari_bitsnet.cli.app import build_app
    from napari_bitsnet.core.device import keep_freed_memory

    for stream in (sys.stdout, sys.stderr):
        if isinstance(
            stream, io.TextIOWrapper
        ):  # file names may have characters that the terminal's encoding lacks
            stream.reconfigure(errors="backslashreplace")
    keep_freed_memory()
    build_app()()
