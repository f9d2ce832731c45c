"""Settings in messages: written as in Python, and converted to the names of the form or the command line."""

from __future__ import annotations

import re
from collections.abc import Callable

SETTING = re.compile(r"""(?<![\w./\\-])([a-z]\w*)=(?:"([^"]*)"|'([^']*)'|(\w(?:[\w.-]*\w)?))""")
"""``name="value"`` or ``name=value``; not in the middle of a path."""


def name_settings(text: str, say: Callable[[str, str], str | None]) -> str:
    """Replace each ``name=value`` in a message.

    Parameters
    ----------
    text : str
        Message, warning or error of this package.
    say : callable
        Function of name and value as texts that returns the replacement, or None for an unknown setting.

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
