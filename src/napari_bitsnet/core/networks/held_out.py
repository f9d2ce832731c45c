"""What a file of weights says of its last validation, in words; loads no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FEW = 8
"""Held-out images of a kind below which a score says little: their scores differ by several decibels."""


def held_out_in_words(facts: Mapping[str, Any]) -> str:
    """Return a sentence with the number of held-out images and the first score; empty if there is none.

    Parameters
    ----------
    facts : mapping
        Record of a file of weights; see `facts_of`.
    """
    counts, scores = _measured(facts)
    if not scores:
        return ""
    name, value = next(iter(scores.items()))
    each = [f"{count} of {kind}" if kind else str(count) for kind, count in counts.items()]
    images = f"held-out images ({', '.join(each)})" if each else "held-out images"
    return f"Last validation of these weights on {images}: {name} {value:.2f}."


def few_held_out(facts: Mapping[str, Any]) -> str:
    """Return a warning if there were fewer than `FEW` held-out images of a kind, else an empty text."""
    counts, _ = _measured(facts)
    few = [f"{count}{' of ' + kind if kind else ''}" for kind, count in counts.items() if count < FEW]
    if not few:
        return ""
    return (
        f"There are very few held-out images ({', '.join(few)}), so that the score of the validation says "
        f"little: train with more images, until at least {FEW} are held out."
    )


def _measured(facts: Mapping[str, Any]) -> tuple[dict[str, int], dict[str, float]]:
    """Return the numbers of held-out images and the scores; files of earlier versions have none."""
    measured = facts.get("held_out") or {}
    return measured.get("images", {}), measured.get("scores", {})
