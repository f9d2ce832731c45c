from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_bitsnet.core.operators.padding import pad_by_reflection


@pytest.mark.parametrize("pad", [0, 2, 9])
@pytest.mark.parametrize("shape", [(5, 4), (1, 3)])
@pytest.mark.parametrize(("repeat_edge", "mode"), [(False, "reflect"), (True, "symmetric")])
def test_equals_numpy_at_any_width(shape, pad, repeat_edge, mode):
    image = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    padded = pad_by_reflection(torch.from_numpy(image), pad, repeat_edge=repeat_edge)
    np.testing.assert_array_equal(padded.numpy(), np.pad(image, pad, mode=mode))
