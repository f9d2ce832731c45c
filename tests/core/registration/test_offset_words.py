"""Words for a shift say where the image lies, once for each direction."""

import pytest

from napari_bitsnet.core.notices import Notice, merge_slices
from napari_bitsnet.core.registration.offset_words import offset_in_words


@pytest.mark.parametrize(
    ("shift", "said"),
    [
        ((4, 0), "4 px too low"),
        ((-4, 0), "4 px too high"),
        ((0, 3), "3 px too far to the right"),
        ((-1, -3), "1 px too high and 3 px too far to the left"),
        ((0, 0), "in its place"),
    ],
)
def test_directions(shift, said):
    words, distances = offset_in_words(shift)
    assert words.format(**distances) == said


def test_slices_off_in_the_same_direction_are_one_notice():
    def notice(shift):
        words, distances = offset_in_words(shift)
        return Notice("registration", f"It lies {words}.", numbers=distances)

    merged = merge_slices([(0, notice((4, -3))), (1, notice((6, -3))), (2, notice((-1, 2)))])
    assert [str(each) for each in merged] == [
        "It lies 4–6 px too low and 3 px too far to the left. (slices 0–1)",
        "It lies 1 px too high and 2 px too far to the right. (slice 2)",
    ]
