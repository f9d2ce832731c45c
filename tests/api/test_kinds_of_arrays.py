"""What counts as an array, and what becomes of masks, of tensors, and of numbers that are too large or too
small."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import napari_bitsnet as nb
from napari_bitsnet.core.arrays import as_array
from napari_bitsnet.data.photographs import photograph

IMAGE = photograph(0, 32).mean(axis=-1)
OTHER = photograph(1, 32).mean(axis=-1)
MIXTURES = np.stack([0.7 * IMAGE + 0.3 * OTHER, 0.3 * IMAGE + 0.7 * OTHER])
HOLE = np.zeros((32, 32), bool)
HOLE[10:14, 20:25] = True
QUICK = {"method": "nl_bayes", "preset": "quick", "device": "cpu"}
SCRIBBLES = np.zeros((32, 32), np.int64)
SCRIBBLES[:3], SCRIBBLES[-3:] = 1, 2

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def clean(image: Any, **arguments: Any) -> np.ndarray:
    return nb.run("denoise", image, **QUICK, **arguments).outputs["clean"]


# --- Tensors and other numbers -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.uint8, torch.int16]
)
@pytest.mark.parametrize("gradient", [False, True])
def test_torch_tensors_are_images(dtype: torch.dtype, gradient: bool):
    image = torch.tensor(200 * IMAGE).to(dtype)
    expected = clean(image.double().numpy())
    if gradient and dtype.is_floating_point:
        image.requires_grad_()
    np.testing.assert_allclose(clean(image), expected, atol=1e-3)


def test_tensors_are_mixtures_guides_hints_and_masks():
    mixtures = [torch.tensor(m, requires_grad=True).bfloat16() for m in MIXTURES]
    assert np.isfinite(nb.run("multi_mixture", mixtures, device="cpu").sources).all()
    guide = torch.tensor(OTHER, requires_grad=True)
    assert np.isfinite(
        nb.run("xray", IMAGE, guides=[guide, None], preset="quick", device="cpu").sources
    ).all()
    hints, mask = torch.tensor(SCRIBBLES), torch.tensor(HOLE)
    outputs = nb.run("segment", torch.tensor(IMAGE), hints=hints, mask=mask, device="cpu").outputs
    assert np.array_equal(outputs["labels"] == 0, HOLE)


def test_a_sparse_tensor_and_ragged_rows_are_refused():
    with pytest.raises(
        TypeError, match=r"Expected a dense tensor for the image, got one that is torch.sparse_coo"
    ):
        clean(torch.tensor(IMAGE).to_sparse())
    with pytest.raises(TypeError, match="Expected an array that NumPy can read for guide 1"):
        nb.run("xray", IMAGE, guides=[[[1, 2], [3]], None], device="cpu")


@pytest.mark.parametrize("dtype", ["m8[s]", "M8[s]", object, "U8", bool, complex])
def test_what_is_no_number_is_refused(dtype: Any):
    with pytest.raises(TypeError, match=r"^Expected .*numbers, got"):
        clean((100 * IMAGE).astype(np.int64).astype(dtype))


@pytest.mark.parametrize("order", ["C", "F", "reversed", "every second", "read-only", "big-endian"])
def test_the_order_in_memory_does_not_matter(order: str):
    image = np.asarray(IMAGE, order="F" if order == "F" else "C")
    if order == "reversed":
        image = np.ascontiguousarray(image[::-1, ::-1])[::-1, ::-1]
    if order == "every second":
        image = np.repeat(image, 2, axis=1)[:, ::2]
    if order == "big-endian":
        image = image.astype(">f8")
    image.flags.writeable = order != "read-only"
    np.testing.assert_array_equal(clean(image), clean(IMAGE))


# --- Masked arrays -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8, np.int16, np.uint16])
def test_a_mask_of_numpy_becomes_nan(dtype: Any):
    numbers = (250 * IMAGE).astype(dtype)
    numbers[HOLE] = np.iinfo(dtype).min if np.issubdtype(dtype, np.integer) else -9999
    found = clean(np.ma.array(numbers, mask=HOLE))
    np.testing.assert_array_equal(np.isnan(found), HOLE)
    filled = numbers.astype(float)
    filled[HOLE] = np.nan
    np.testing.assert_array_equal(found, clean(filled))


def test_masks_of_mixtures_guides_and_stacks_become_nan():
    mixtures = [np.ma.array(MIXTURES[0], mask=HOLE), MIXTURES[1]]
    for given in (mixtures, np.ma.stack(mixtures)):
        sources = nb.run("multi_mixture", given, device="cpu").sources
        np.testing.assert_array_equal(np.isnan(sources), np.broadcast_to(HOLE, sources.shape))
    guide = np.ma.array(np.where(HOLE, 1e6, OTHER), mask=HOLE)
    sources = nb.run("xray", IMAGE, guides=[guide, None], preset="quick", device="cpu").sources
    np.testing.assert_array_equal(np.isnan(sources), np.broadcast_to(HOLE, sources.shape))
    stack = np.ma.array(np.stack([IMAGE, OTHER]), mask=np.stack([HOLE, HOLE.T]))
    found = clean(stack, axes="ZYX")
    np.testing.assert_array_equal(np.isnan(found), stack.mask)


def test_masks_of_lazily_computed_arrays_become_nan():
    array = pytest.importorskip("dask.array")
    stack = array.from_array(
        np.ma.array(np.stack([IMAGE, OTHER]), mask=np.stack([HOLE, HOLE.T])), chunks=(1, 32, 32)
    )
    np.testing.assert_array_equal(np.isnan(clean(stack, axes="ZYX")), np.stack([HOLE, HOLE.T]))


def test_masked_labels_say_nothing():
    hints = np.ma.array(np.where(HOLE, 1, SCRIBBLES), mask=HOLE)
    given = nb.run("segment", IMAGE, hints=hints, device="cpu").outputs
    plain = nb.run("segment", IMAGE, hints=SCRIBBLES, device="cpu").outputs
    np.testing.assert_array_equal(given["mask"], plain["mask"])
    assert as_array(np.ma.array([3, 4], mask=[True, False]), labels=True).tolist() == [0, 4]


def test_an_array_without_masked_values_stays_as_it_is():
    image = (255 * IMAGE).astype(np.uint8)
    assert as_array(np.ma.array(image)).dtype == np.uint8
    assert np.shares_memory(as_array(np.ma.array(image)), image)
    assert np.shares_memory(as_array(torch.from_numpy(image)), image)


# --- Sizes of numbers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-28, 1e-20, 1e20, 1e28])
def test_any_unit_will_do(scale: float):
    np.testing.assert_allclose(clean(scale * IMAGE) / scale, clean(IMAGE), rtol=1e-4, atol=1e-6)
    sources = nb.run("multi_mixture", scale * MIXTURES, device="cpu").sources / scale
    np.testing.assert_allclose(sources, nb.run("multi_mixture", MIXTURES, device="cpu").sources, atol=1e-3)


LITTLE, LARGE = "Expected values that differ by at least 1e-30", "Expected values of at most 1e.30 in size"


@pytest.mark.parametrize(
    ("task", "scale", "text"),
    [
        # not haze and watermarks, for which fractions up to 1 lie between black and white, however small
        *((task, scale, LITTLE) for task in ("denoise", "multi_mixture") for scale in (1e-310, 1e-100)),
        *(
            (task, scale, LARGE)
            for task in ("denoise", "multi_mixture", "watermark", "dehaze")
            for scale in (3e38, 1e300)
        ),
    ],
)
def test_numbers_beyond_float32_are_refused(task: str, scale: float, text: str):
    several = task in ("multi_mixture", "watermark")
    with pytest.raises(ValueError, match=text):
        nb.run(task, scale * (MIXTURES if several else IMAGE), device="cpu")


# --- Nothing is changed, nothing is kept ---------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8])
def test_inputs_are_not_modified(dtype: Any):
    def made(image: np.ndarray) -> np.ndarray:
        numbers = (200 * image).astype(dtype)
        if np.issubdtype(dtype, np.floating):
            numbers[20, 20] = np.nan
        return numbers

    arrays = {"image": made(IMAGE), "guide": made(OTHER), "mixtures": np.stack([made(m) for m in MIXTURES])}
    hints, mask = SCRIBBLES.copy(), HOLE.copy()
    before = {name: array.copy() for name, array in arrays.items()}
    clean(arrays["image"], mask=mask)
    nb.run("inpaint", arrays["image"], mask=mask, preset="quick", device="cpu")
    nb.run("segment", arrays["image"], hints=hints, mask=mask, preset="quick", device="cpu")
    nb.run("xray", arrays["image"], guides=[arrays["guide"], None], mask=mask, preset="quick", device="cpu")
    nb.run("multi_mixture", arrays["mixtures"], mask=mask, preset="quick", device="cpu")
    nb.run("watermark", list(arrays["mixtures"]), preset="quick", device="cpu")
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)
    np.testing.assert_array_equal(hints, SCRIBBLES)
    np.testing.assert_array_equal(mask, HOLE)


def test_runs_leave_no_tensors_behind():
    import gc

    def tensors() -> int:
        gc.collect()
        return sum(isinstance(thing, torch.Tensor) for thing in gc.get_objects())

    def once() -> None:
        clean(IMAGE)
        nb.run("multi_mixture", MIXTURES, preset="quick", device="cpu")
        nb.run("xray", IMAGE, guides=[OTHER, None], preset="quick", device="cpu")

    once()  # modules and caches are loaded
    before = tensors()
    for _ in range(3):
        once()
    assert tensors() <= before


@pytest.mark.parametrize("dtype", ["m8[s]", object, complex, bool])
def test_masks_make_no_numbers_of_what_is_none(dtype: Any):
    with pytest.raises(TypeError, match=r"^Expected .*numbers, got"):
        clean(np.ma.array((100 * IMAGE).astype(np.int64).astype(dtype), mask=HOLE))
