"""One script for each question; ``python -m benchmarks.studies.NAME --help`` lists its options."""

from __future__ import annotations

import argparse


def arguments_of(text: str | None) -> argparse.ArgumentParser:
    """Return a parser of options, whose help shows the docstring of a script."""
    return argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)


def panel_arguments(text: str | None, *, first: int, n: int, size: int) -> argparse.ArgumentParser:
    """Return a parser with the options ``--first``, ``--n`` and ``--size`` of simulated panels."""
    parser = arguments_of(text)
    parser.add_argument("--first", default=first, type=int, help="Seed of the first panel.")
    parser.add_argument("--n", default=n, type=int, help="Number of panels.")
    parser.add_argument("--size", default=size, type=int, help="Side in pixels.")
    return parser
