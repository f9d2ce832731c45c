"""Windows of large images, and interpolation from a reduced size."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from napari_bitsnet.core.displacement import Window
from napari_bitsnet.core.large_image import LargeImage, at_window, grown


@pytest.mark.parametrize("factor", [1, 2, 5])
def test_interpolation_is_that_of_torch_whatever_the_window(factor):
    small = torch.rand(2, 3, 6, 7)
    height, width = 6 * factor, 7 * factor
    whole = F.interpolate(small, (height, width), mode="bilinear", align_corners=False)
    torch.testing.assert_close(at_window(small, Window(0, 0, height, width), factor), whole)
    for top, left, tall, wide in ((0, 0, 2, 3), (3, 4, 3, 3), (height - 2, width - 1, 2, 1)):
        window = Window(top, left, tall, wide)
        torch.testing.assert_close(at_window(small, window, factor), window.crop(whole))


def test_windows_are_read_and_held():
    pixels, read = torch.rand(1, 2, 9, 8), []

    def reading(window):
        read.append(window)
        return window.crop(pixels)

    image = LargeImage(reading, (1, 2, 9, 8))
    window = Window(2, 3, 4, 5)
    assert torch.equal(window.crop(image), window.crop(pixels))
    assert read == [window]
    held = image.held(Window(1, 3, 6, 5))
    assert torch.equal(window.crop(held), window.crop(pixels))
    assert len(read) == 2
    for outside in (Window(0, 3, 2, 2), Window(2, 1, 2, 2), Window(5, 3, 3, 2), Window(2, 2, 2, 3)):
        with pytest.raises(IndexError, match="inside"):
            outside.crop(held)


def test_windows_grow_up_to_the_borders():
    assert grown(Window(2, 3, 4, 5), 2, (20, 20)) == Window(0, 1, 8, 9)
    assert grown(Window(0, 0, 9, 8), 3, (9, 8)) == Window(0, 0, 9, 8)
    assert np.prod(grown(Window(5, 5, 1, 1), 1, (6, 6))[2:]) == 4
