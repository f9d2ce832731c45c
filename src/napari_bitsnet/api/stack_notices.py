"""What there is to say of a stack's slices: once for all slices that it holds for, with the range of its figures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

FIGURE = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?![\w.]*\w)")
NAMES = re.compile(r"(?:guide|source|mixture|image|label|candidate|method|seed|I)s?[ _]?$")
"""What stands before a number that is a name: guide 1 and guide 2 are not guides 1–2."""


class StackNotices:
    """Collects notices slice by slice.

    Examples
    --------
    >>> notices = StackNotices()
    >>> notices.add(2, "Not separable (correlation 0.91).")
    >>> notices.add(3, "Not separable (correlation 0.97).")
    >>> notices.leave_out(5, "Expected an image with contrast.")
    >>> notices.texts()
    ['Not separable (correlation 0.91–0.97). (slices 2–3)', 'Slice 5 was left out: Expected an image with contrast.']
    """

    def __init__(self) -> None:
        self._found: dict[tuple[bool, tuple[str, ...]], list[tuple[int, str]]] = {}

    def add(self, index: int, text: str) -> None:
        """Take a notice of one slice."""
        self._found.setdefault((False, _fixed(text)), []).append((index, text))

    def leave_out(self, index: int, reason: str) -> None:
        """Take the reason for which a slice was left out."""
        self._found.setdefault((True, _fixed(reason)), []).append((index, reason))

    def reasons(self) -> list[str]:
        """Return why slices were left out, each reason once."""
        return [with_ranges(_texts(told)) for (left_out, _), told in self._found.items() if left_out]

    def plain(self) -> list[str]:
        """Return the notices of an image that is no stack, as they are."""
        return [text for told in self._found.values() for text in _texts(told)]

    def texts(self) -> list[str]:
        """Return one text for each thing that there is to say, in the order in which they came."""
        return [_sentence(left_out, told) for (left_out, _), told in self._found.items()]


def _sentence(left_out: bool, told: Sequence[tuple[int, str]]) -> str:
    slices = sorted({index for index, _ in told})
    text, several = with_ranges(_texts(told)), len(slices) > 1
    if left_out:
        return f"Slice{'s' if several else ''} {in_ranges(slices)} {'were' if several else 'was'} left out: {text}"
    return f"{text} (slice{'s' if several else ''} {in_ranges(slices)})"


def _texts(told: Iterable[tuple[int, str]]) -> list[str]:
    return [text for _, text in told]


def in_ranges(numbers: Sequence[int]) -> str:
    """Say rising whole numbers in words: 0–2, 5."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}" if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)


def with_ranges(texts: Sequence[str]) -> str:
    """Return texts that differ in figures alone as one, each figure as the range that it takes."""
    words, figures = _split(texts[0])
    columns = zip(*(_split(text)[1] for text in texts), strict=True)
    said = [_range(column) for column in columns]
    return (
        "".join(part for pair in zip(words, [*said, ""], strict=True) for part in pair)
        if figures
        else texts[0]
    )


def _range(values: Sequence[str]) -> str:
    least, most = min(values, key=float), max(values, key=float)
    if float(least) == float(most):
        return least
    return f"{least}–{most}" if least[0].isdigit() and most[0].isdigit() else f"{least} to {most}"


def _fixed(text: str) -> tuple[str, ...]:
    """What of a text is the same for all slices."""
    return tuple(_split(text)[0])


def _split(text: str) -> tuple[list[str], list[str]]:
    """The words around a text's figures, one more than there are figures, and these."""
    words, figures, end = [], [], 0
    for found in FIGURE.finditer(text):
        if NAMES.search(text[: found.start()]):
            continue
        words.append(text[end : found.start()])
        figures.append(found[0])
        end = found.end()
    return [*words, text[end:]], figures
