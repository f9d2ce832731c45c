"""Where an image lies beside its place, in words that cannot be read the wrong way round."""

from __future__ import annotations


def offset_in_words(shift: tuple[int, int]) -> tuple[str, dict[str, int]]:
    """Say how far from its place an image lies.

    Parameters
    ----------
    shift : (int, int)
        (dy, dx), in pixels: how far down and right of its place it lies.

    Returns
    -------
    str
        Words with fields for the distances, as a `Notice` takes them, so that slices of a stack that lie off
        in the same direction are one notice.
    dict
        ``down`` and ``right``, the distances without signs; those that the words mention.

    Examples
    --------
    >>> words, distances = offset_in_words((4, -3))
    >>> words.format(**distances)
    '4 px too low and 3 px too far to the left'
    >>> offset_in_words((0, 0))
    ('in its place', {})
    """
    down, right = shift
    words, distances = [], {}
    if down:
        words.append("{down} px too low" if down > 0 else "{down} px too high")
        distances["down"] = abs(down)
    if right:
        words.append(f"{{right}} px too far to the {'right' if right > 0 else 'left'}")
        distances["right"] = abs(right)
    return " and ".join(words) or "in its place", distances
