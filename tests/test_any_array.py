"""Drawn arrays and settings through `run`, reading and saving: an answer, or an error that is documented."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as drawn

import napari_bitsnet as nb
from napari_bitsnet.io.calibration import Calibration
from napari_bitsnet.io.read import read_image
from napari_bitsnet.tasks import TASKS

DOCUMENTED = (TypeError, ValueError, FileNotFoundError)
DOCUMENTED_BEGINNINGS = ("Expected", "Unknown", "Setting out of range")
EXAMPLES = 40 if os.environ.get("CI") else 15
"""Drawn cases a test: all tests together take about a minute on two cores where all checks run."""
bounded = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,  # the same cases everywhere: a failure is one that others see, too
    database=None,
    phases=[Phase.explicit, Phase.generate],  # to make failures smaller, add Phase.shrink: it takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
DTYPES = st.sampled_from(
    ["u1", "i1", "u2", ">u2", "i2", "u4", "i8", "f2", "f4", "f8", ">f4", "g", "?", "c8", "O", "m8[s]"]
)
SHAPES = st.one_of(
    st.tuples(st.integers(1, 24), st.integers(1, 24)),
    st.tuples(st.integers(16, 24), st.integers(16, 24), st.integers(1, 5)),
    st.tuples(st.integers(1, 3), st.integers(16, 20), st.integers(16, 20)),
    st.sampled_from([(), (0,), (7,), (0, 9), (16, 0), (2, 2), (1, 2, 16, 16, 3)]),
)
AXES = st.sampled_from([None, None, None, "YX", "YXC", "CYX", "ZYX", "MYX", "TYXC", "XY", "QQ", "", "yx"])
FILLINGS = st.sampled_from(
    ["noise", "noise", "photons", "constant", "ramp", "NaN", "infinite", "holes", "denormal", "tiny", "huge"]
)
LAYOUTS = st.sampled_from(["C", "F", "reversed", "read-only", "masked"])


@st.composite
def arrays(draw: Any, shapes: Any = SHAPES) -> Any:
    """An array of any type, shape, filling and order in memory."""
    shape, dtype, filling = draw(shapes), draw(DTYPES), draw(FILLINGS)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    values = 100 * rng.random(shape)
    if filling == "photons":
        values = rng.poisson(2.0, shape) * 1.0
    elif filling == "constant":
        values = np.full(shape, draw(st.sampled_from([0.0, 7.0, 1e-310, 1e300])))
    elif filling == "ramp":
        values = np.arange(values.size, dtype=float).reshape(shape)
    elif filling in ("NaN", "infinite"):
        values = np.full(shape, np.nan if filling == "NaN" else np.inf)
    elif filling == "holes":
        values = np.where(rng.random(shape) < 0.2, rng.choice([np.nan, np.inf, -np.inf]), values)
    elif filling in ("denormal", "tiny", "huge"):
        values = values * {"denormal": 1e-311, "tiny": 1e-28, "huge": 1e36}[filling]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        array = np.asarray(values).astype(dtype)
    layout = draw(LAYOUTS)
    if layout == "masked":
        return np.ma.array(array, mask=rng.random(shape) < 0.1)
    if layout == "reversed":
        array = array[(slice(None, None, -1),) * array.ndim]
    array = np.asarray(array, order="F" if layout == "F" else "K")
    if layout == "read-only":
        array = array.copy()
        array.flags.writeable = False
    return array


def answered(call: Any) -> Any:
    """What a call returns, or None where it raises an error that is documented: what was expected, what
    came."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", UserWarning)  # what there is to say of such images
        try:
            return call()
        except DOCUMENTED as error:
            if not str(error).startswith(DOCUMENTED_BEGINNINGS):
                raise
            return None


def assert_unchanged(array: np.ndarray, before: np.ndarray) -> None:
    """Compare with NaN equal to NaN, which `assert_array_equal` cannot in arrays of objects."""
    if array.dtype == object:
        assert repr(array.tolist()) == repr(before.tolist())
    else:
        np.testing.assert_array_equal(array, before)


@bounded
@given(data=st.data(), task=st.sampled_from(sorted(TASKS)), axes=AXES, seed=st.integers(0, 3))
def test_any_array_has_an_answer_or_a_documented_error(data: Any, task: str, axes: str | None, seed: int):
    declared = {i.name: i for i in TASKS.get(task).inputs}
    mixture = data.draw(arrays())
    if declared["mixture"].many and data.draw(st.booleans()):
        mixture = [mixture, data.draw(arrays(st.just(np.shape(mixture))))]
    like = [np.shape(mixture)[-2:], np.shape(mixture)[:2]]
    images: dict[str, Any] = {}
    if "guides" in declared:
        images["guides"] = data.draw(st.sampled_from([(), None, "one"]))
        if images["guides"] == "one":
            images["guides"] = [data.draw(arrays(st.sampled_from(like))), None][
                : 2 if declared["guides"].many else 1
            ]
    for name in ("hints", "mask"):
        if name in declared and (declared[name].required or data.draw(st.booleans())):
            images[name] = data.draw(
                drawn.arrays(
                    data.draw(st.sampled_from(["u1", "i4", "?", "f8"])),
                    data.draw(st.sampled_from(like)),
                    elements=st.sampled_from([0, 1]),
                )
            )
    before = [np.array(each, copy=True) for each in (mixture if isinstance(mixture, list) else [mixture])]
    given_settings = {"seed": seed, "axes": axes, "preset": "quick", "iterations": 2, "device": "cpu"}
    result = answered(lambda: nb.run(task, mixture, **images, **given_settings))
    for each, copy in zip(mixture if isinstance(mixture, list) else [mixture], before, strict=True):
        assert_unchanged(np.ma.getdata(each), copy)
    for name, output in ({} if result is None else result.outputs).items():
        assert output.dtype in (np.float32, np.uint8), name
        assert not np.isinf(output).any(), name


@bounded
@given(
    data=st.data(),
    options=st.dictionaries(
        st.sampled_from(
            [
                "axes",
                "preset",
                "method",
                "seed",
                "iterations",
                "size_limit",
                "sigma",
                "colour",
                "n_sources",
                "device",
            ]
        ),
        st.sampled_from([None, 0, -1, 2, 1e9, float("nan"), "best", "YX", "", (1.0, 2.0), "cpu"]),
        max_size=2,
    ),
)
def test_any_setting_is_taken_or_refused(data: Any, options: dict[str, Any]):
    image = np.random.default_rng(0).random((16, 16))
    arguments = {"method": "nl_bayes", "preset": "quick", "device": "cpu"} | options
    answered(lambda: nb.run("denoise", image, **arguments))


@bounded
@given(
    data=st.data(),
    depth=st.sampled_from(["float", "input"]),
    kind=st.sampled_from(["imagej", "ome"]),
    scale=st.sampled_from([1e-30, 0.5, 3.0, 1e20, float("nan"), float("inf"), -1.0, 0.0]),
    unit=st.sampled_from(["um", "µm", "mm", "nm", "inch", "pixel", "", "parsec", "\udcff"]),
)
def test_what_was_answered_is_saved_and_read_again(
    tmp_path_factory: pytest.TempPathFactory, data: Any, depth: str, kind: str, scale: float, unit: str
):
    mixture = data.draw(arrays(st.sampled_from([(16, 17), (16, 17, 3)])))
    result = answered(lambda: nb.run("denoise", mixture, method="nl_bayes", preset="quick", device="cpu"))
    if result is None:
        return
    folder = tmp_path_factory.mktemp("saved")
    calibration = answered(lambda: Calibration((scale, scale), unit))
    files = answered(lambda: result.save(folder, depth=depth, format=kind, calibration=calibration))
    for path in files or []:
        if path.suffix == ".tif" and "clean" in path.name and depth == "float":
            np.testing.assert_array_equal(read_image(path).channels_last, result.outputs["clean"])


METADATA = {
    "resolution": st.sampled_from([(300, 300), (1e-9, 4e9), (0, 0), (72, 72)]),
    "resolutionunit": st.sampled_from([1, 2, 3]),
    "photometric": st.sampled_from(["miniswhite", "rgb", "cielab", "palette"]),
    "extrasamples": st.sampled_from([["assocalpha"], ["unassalpha"], ["unspecified"]]),
    "compression": st.sampled_from(["zlib", "lzw", "zstd", "lerc", "jpeg", "jpegxl"]),
    "subfiletype": st.sampled_from([0, 1, 2, 4]),
    "description": st.sampled_from(["", "ImageJ=1.54", "<OME><Image/></OME>", '{"shape": [9]}']),
    "metadata": st.sampled_from([None, {"axes": "ZYX"}, {"axes": "QQ"}, {"unit": "um", "spacing": -1}]),
    "extratags": st.sampled_from(
        [
            [(274, 3, 1, 6)],  # orientation
            [(274, 3, 1, 99)],
            [(42113, 2, 0, "7")],  # GDAL's value for missing pixels
            [(42113, 2, 0, "no number")],
            [(34675, 7, 4, b"none")],  # colour profile
            [(50706, 1, 4, b"\1\4\0\0")],  # DNG's version
        ]
    ),
}
"""What `tifffile.imwrite` takes, sensible or not."""


@bounded
@given(
    data=st.data(),
    names=st.lists(st.sampled_from(sorted(METADATA)), max_size=2, unique=True),
    ending=st.sampled_from([".tif", ".png", ".npy", ".jpg", ".dat"]),
    cut=st.sampled_from([None, None, None, 0, 10, 100, 0.5]),
)
def test_any_file_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory,
    data: Any,
    names: list[str],
    ending: str,
    cut: float | None,
):
    array = np.asarray(data.draw(arrays()))
    metadata = {name: data.draw(METADATA[name]) for name in names}
    path: Path = tmp_path_factory.mktemp("read") / f"image{ending}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tifffile.imwrite(path, np.ascontiguousarray(array), **metadata)
    except Exception:  # the library raises anything on metadata that do not fit: no file to read
        return
    if cut is not None:
        content = path.read_bytes()
        path.write_bytes(content[: int(cut * len(content)) if isinstance(cut, float) else cut])
    file = answered(lambda: read_image(path))
    changed = {"photometric", "compression", "extratags", "extrasamples"} & set(names)
    if file is not None and cut is None and array.dtype.kind in "uif" and array.ndim == 2 and not changed:
        np.testing.assert_array_equal(np.squeeze(file.array), np.squeeze(array))
