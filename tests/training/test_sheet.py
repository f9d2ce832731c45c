"""The picture of held-out examples."""

import numpy as np
import torch

from napari_bitsnet.training.sheet import sheet_of


def test_rows_are_examples_and_columns_kinds_of_images():
    grey = torch.tensor([0.2, 0.4, 0.6]).view(3, 1, 1, 1).expand(3, 1, 2, 4)
    colour = torch.stack([torch.full((3, 2, 4), value) for value in (-0.5, 1.5, 0.0)])
    colour[0, 1] = 1.0
    sheet = sheet_of([grey, colour], 2)
    assert sheet.shape == (4, 8, 3)
    assert sheet.dtype == np.uint8
    np.testing.assert_array_equal(sheet[:2, :4], 51)  # 0.2 of 255, in all channels
    np.testing.assert_array_equal(sheet[2:, :4], 102)
    np.testing.assert_array_equal(sheet[0, 4], (0, 255, 0))  # clipped below, green above
    np.testing.assert_array_equal(sheet[2:, 4:], 255)
