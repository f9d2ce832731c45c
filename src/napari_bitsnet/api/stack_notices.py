"""Notices of a stack, each once for all its slices, and the reasons for slices that were left out."""

from __future__ import annotations

from collections.abc import Iterable

from napari_bitsnet.core.notices import LEFT_OUT, Notice, merge_slices


class StackNotices:
    """Collects the notices of slices.

    Examples
    --------
    >>> notices = StackNotices()
    >>> correlation = Notice("not_separated", "Not separable ({r:.2f}).", numbers={"r": 0.91})
    >>> notices.add(2, [correlation])
    >>> notices.leave_out(5, ValueError("Expected an image with contrast."))
    >>> [str(notice) for notice in notices.merged()]
    ['Not separable (0.91). (slice 2)', 'Slice 5 was left out: Expected an image with contrast.']
    """

    def __init__(self) -> None:
        self._found: list[tuple[int, Notice]] = []
        self._left_out: dict[tuple[str, int], list[tuple[int, str]]] = {}

    def add(self, index: int, notices: Iterable[Notice]) -> None:
        """Add the notices of one slice."""
        self._found += [(index, notice) for notice in notices]

    def leave_out(self, index: int, error: Exception) -> None:
        """Add the error of a slice that was left out; errors of one line of code count as one reason."""
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        line = (str(error), 0) if place is None else (place.tb_frame.f_code.co_filename, place.tb_lineno)
        self._left_out.setdefault(line, []).append((index, str(error)))

    def reasons(self) -> list[str]:
        """Return the reasons for slices that were left out, each once."""
        return [_reason(told) for told in self._left_out.values()]

    def plain(self) -> list[Notice]:
        """Return the notices of a single image, unchanged."""
        return [notice for _, notice in self._found]

    def merged(self) -> list[Notice]:
        """Return each notice once, with its slices."""
        left_out = [
            Notice(LEFT_OUT, _reason(told), slices=tuple(index for index, _ in told))
            for told in self._left_out.values()
        ]
        return [*merge_slices(self._found), *left_out]


def _reason(told: list[tuple[int, str]]) -> str:
    first = told[0][1]
    same = all(reason == first for _, reason in told)
    return first if same else f"{first} (slice {told[0][0]}; the others differ in figures alone)"
