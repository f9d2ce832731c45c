"""The stack of a volume folder: what is mixed with what, and that it runs."""

import numpy as np
import pytest
import tifffile

from benchmarks.quality.cases.folder import folder_cases
from benchmarks.studies.stack import other_contrast
from napari_bitsnet.api import run
from napari_bitsnet.data.synthetic import head_volume


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_stack_is_mixed_slice_with_slice_and_runs_as_one(tmp_path):
    (tmp_path / "mri").mkdir()
    volume = head_volume(0, 48, 32)
    tifffile.imwrite(tmp_path / "mri" / "mni_t1.tif", (1000 * volume).astype(np.uint16))
    makers = [make for group, make in folder_cases(tmp_path, 32) if group == "MRI stack, one guide"]
    (case,) = (make() for make in makers)
    assert case.mixture.shape == (32, 32, 8)
    assert case.truths.shape == (2, 32, 32, 8)
    assert [g is None for g in case.guides] == [False, True]
    np.testing.assert_allclose(case.truths.sum(axis=0), case.mixture)
    np.testing.assert_allclose(2 * case.truths[1][..., 0], volume[38] / volume.max(), atol=2e-3)
    result = run(case.task, case.mixture, guides=case.guides, preset="quick", **case.options)
    assert result.sources.shape == case.truths.shape


def test_another_contrast_has_another_order_of_brightness():
    levels = np.repeat(np.array([0.1, 0.45, 0.7])[:, None], 400, axis=1)
    shown = other_contrast(levels, 0)
    assert np.all(np.diff(shown.mean(axis=1)) < -0.1)
    assert 0.005 < shown[0].std() < 0.02
    np.testing.assert_array_equal(shown, other_contrast(levels, 0))
