"""What a user should know before trusting a result, as records. Text is made where they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from string import Formatter

LEFT_OUT = "left_out"
"""Category of slices that could not be worked on. The text is the reason."""


@dataclass(frozen=True)
class Notice:
    """One thing that a user should know.

    Parameters
    ----------
    category : str
        What it is about, for programs: ``"not_separated"``, ``"doubtful"``, ``"method"`` (another one may do
        better), ``"guides"``, ``"registration"``, ``"resampled"``, ``"range"``, ``"coverage"``, ``"hints"``,
        `LEFT_OUT` …
    text : str
        Whole sentences. Where there are `numbers`, ``{name:.2f}`` stands for one of them.
    remedy : str
        Sentences that say what to do; they follow the text.
    numbers : mapping of str to float or sequence of float
        Values of the fields of text and remedy; several of them are shown as their range.
    slices : tuple of int
        Slices of a stack that it holds for, in rising order; empty for a single image.

    Examples
    --------
    >>> from dataclasses import replace
    >>> notice = Notice("doubtful", "The confidence is {mean:.2f}.", numbers={"mean": 0.1})
    >>> str(notice)
    'The confidence is 0.10.'
    >>> str(merge_slices([(2, notice), (3, replace(notice, numbers={"mean": 0.2}))])[0])
    'The confidence is 0.10–0.20. (slices 2–3)'
    """

    category: str
    text: str
    remedy: str = ""
    numbers: Mapping[str, float | Sequence[float]] = field(default_factory=dict, hash=False)
    slices: tuple[int, ...] = ()

    def __str__(self) -> str:
        said = " ".join(part for part in (self.text, self.remedy) if part)
        if self.numbers:
            said = "".join(self._filled(said))
        if not self.slices:
            return said
        where = slices_in_words(self.slices)
        if self.category == LEFT_OUT:
            return f"{where.capitalize()} {'were' if len(self.slices) > 1 else 'was'} left out: {said}"
        return f"{said} ({where})"

    def _filled(self, template: str) -> Iterable[str]:
        for words, name, form, _ in Formatter().parse(template):
            yield words
            if name is not None:
                yield _range(self.numbers[name], form or "")


def merge_slices(found: Iterable[tuple[int, Notice]]) -> list[Notice]:
    """Return one notice for each thing that was found in slices of a stack, in the order in which they came.

    Parameters
    ----------
    found : iterable of (int, Notice)
        Slice and notice. Notices of one category with the same words are one, with the numbers of all slices.
    """
    groups: dict[tuple[str, str, str], list[tuple[int, Notice]]] = {}
    for index, notice in found:
        groups.setdefault((notice.category, notice.text, notice.remedy), []).append((index, notice))
    return [_merged(group) for group in groups.values()]


def _merged(group: Sequence[tuple[int, Notice]]) -> Notice:
    first = group[0][1]
    numbers = {name: [v for _, one in group for v in _several(one.numbers[name])] for name in first.numbers}
    return Notice(
        first.category, first.text, first.remedy, numbers, tuple(sorted({index for index, _ in group}))
    )


def slices_in_words(slices: Sequence[int]) -> str:
    """Say rising slice numbers in words: ``"slice 5"``, ``"slices 0–2, 5"``."""
    runs: list[list[int]] = []
    for number in slices:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    said = ", ".join(f"{run[0]}" if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)
    return f"slice{'s' if len(slices) > 1 else ''} {said}"


def _several(value: float | Sequence[float]) -> Sequence[float]:
    return value if isinstance(value, Sequence) else (value,)


def _range(value: float | Sequence[float], form: str) -> str:
    """One number as it is, several as ``"0.91–0.97"``, ``"1–4%"`` or, with signs, ``"-0.30 to +0.10"``."""
    values = _several(value)
    least, most = format(min(values), form), format(max(values), form)
    if least == most:
        return least
    return (
        f"{least.removesuffix('%')}–{most}"
        if least[0].isdigit() and most[0].isdigit()
        else f"{least} to {most}"
    )
