"""Pages are written as the project's rules say, as far as a program can tell."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
PAGES = [
    PROJECT / "README.md",
    PROJECT / "CONTRIBUTING.md",
    *(p for p in sorted((PROJECT / "docs").rglob("*.md")) if "generated" not in p.parts),
]
READ_IN_ORDER = [
    page
    for page in PAGES
    if page.parent.name in ("tutorials", "concepts", "reference") or "getting" in page.name
]


def prose(page: Path) -> str:
    """Return a page without code, formulas, commands of the documentation builder and addresses of links."""
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"\$\$.*?\$\$|\$[^$\n]+\$|`[^`\n]+`|\]\([^)]*\)", "", text, flags=re.DOTALL)
    return re.sub(r"https?://\S+|doi:\S+", "", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_decimals_have_a_leading_zero(page: Path):
    assert re.findall(r"(?<![\w.)\]*])[+−±-]?\.\d+", prose(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_percentages_and_pixels_have_a_space(page: Path):
    assert re.findall(r"\d(?:%|px\b|dB\b|GiB\b|MB\b)", prose(page)) == []


@pytest.mark.parametrize("page", READ_IN_ORDER, ids=lambda page: str(page.relative_to(PROJECT)))
def test_a_page_ends_with_a_link_to_the_next_step(page: Path):
    last = page.read_text(encoding="utf-8").rstrip().split("\n\n")[-1]
    assert last.startswith("Next: ")
    assert re.search(r"\]\([\w./-]+\.md(?:#[\w-]+)?\)", last)


@pytest.mark.parametrize("page", READ_IN_ORDER, ids=lambda page: str(page.relative_to(PROJECT)))
def test_a_picture_has_a_sentence_as_its_caption(page: Path):
    text = page.read_text(encoding="utf-8")
    below = re.findall(r"^ *!\[[^\]]*\]\([^)]*\)\n\n *(.*?)\n(?:\n|- )", text, re.MULTILINE | re.DOTALL)
    assert len(below) == text.count("![")
    assert [caption for caption in below if not re.fullmatch(r"\*[^*].*\.\*", caption, re.DOTALL)] == []
