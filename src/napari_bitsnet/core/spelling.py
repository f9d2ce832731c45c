"""Names in messages: lists of them, and which known one was probably meant by a mistyped one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

ALIKE = 0.6
"""Least ratio of agreement, 0 to 1, at which a known name is suggested."""


def listed(names: Sequence[str], word: str = "and") -> str:
    """Return ``"a, b and c"``."""
    *first, last = names
    return f"{', '.join(first)} {word} {last}" if first else last


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Say that a name is unknown, which was probably meant, and which ones are known.

    Parameters
    ----------
    kind : str
        What it names: ``"method"``.
    name : str
        As it was given.
    known : iterable of str
        In the order in which they are to be listed.

    Returns
    -------
    str
        ``"Unknown task 'xrays'. Did you mean 'xray'? Known: separate, xray."``; without the question where
        none is alike.
    """
    names = list(known)
    return f"Unknown {kind} {name!r}.{suggestion(name, names)} Known: {', '.join(names)}."


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'xray'?"``, or nothing where no known name is alike."""
    plain = {each.lower().replace("-", "_"): each for each in known}
    alike = get_close_matches(name.lower().replace("-", "_"), plain, n=1, cutoff=ALIKE)
    return f" Did you mean {plain[alike[0]]!r}?" if alike else ""
