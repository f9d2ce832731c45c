"""Settings in messages: said as Python says them, and put into the words of whoever shows them."""

from __future__ import annotations

import re
from collections.abc import Callable

SETTING = re.compile(r"""(?<![\w./\\-])([a-z]\w*)=(?:"([^"]*)"|'([^']*)'|(\w(?:[\w.-]*\w)?))""")
"""``name="value"`` or ``name=value``; not in the middle of a path."""


def name_settings(text: str, say: Callable[[str, str], str | None]) -> str:
    """Put every ``name=value`` in a message into other words.

    Parameters
    ----------
    text : str
        Message, warning or error of this package.
    say : callable
        Takes name and value as texts; returns the words, or None where it knows no such setting.

    Examples
    --------
    >>> name_settings('keep it out with unexplained="apart".', lambda name, value: f"--{name} {value}")
    'keep it out with --unexplained apart.'
    """

    def replaced(found: re.Match[str]) -> str:
        value = next(group for group in found.groups()[1:] if group is not None)
        words = say(found[1], value)
        return found[0] if words is None else words

    return SETTING.sub(replaced, text)
