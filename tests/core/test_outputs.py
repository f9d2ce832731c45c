"""Outputs say what they are, and go on as arrays."""

import copy
import pickle

import numpy as np
import pytest

from napari_bitsnet.core.outputs import (
    FEATURES,
    Output,
    OutputSpec,
    describe,
    numbered,
    source_names,
    stack_sources,
)

RNG = np.random.default_rng(0)
SPECS = (
    OutputSpec("source_#", "source", "Source #", layer="front"),
    OutputSpec("clean", "image", "Clean image"),
    OutputSpec("clean_#", "image", "Clean image #"),
    OutputSpec("residual", "difference", "Residual", axes="MYX[C]"),
    OutputSpec("mask", "map", "Opacity", axes="YX"),
    OutputSpec("weights", "values", "Weights", axes="MK"),
    FEATURES,
)


def made(array, axes="YX") -> Output:
    return Output(np.asarray(array), axes, "source", "Source 1")


@pytest.mark.parametrize(
    ("name", "shape", "axes", "caption", "of_source", "of_mixture"),
    [
        ("source_1", (4, 5), "YX", "Source 1", 1, None),
        ("source_12", (4, 5, 3), "YXC", "Source 12", 12, None),
        ("clean", (4, 5, 3), "YXC", "Clean image", None, None),
        ("clean_2", (4, 5), "YX", "Clean image 2", None, 2),
        ("residual", (2, 4, 5), "MYX", "Residual", None, None),
        ("residual", (2, 4, 5, 3), "MYXC", "Residual", None, None),
        ("mask", (4, 5), "YX", "Opacity", None, None),
        ("weights", (2, 2), "MK", "Weights", None, None),
        ("features_2", (7, 4, 5), "CYX", "Features of source 2", 2, None),
    ],
)
def test_an_array_gets_what_its_task_declares(name, shape, axes, caption, of_source, of_mixture):
    array = RNG.random(shape)
    output = describe({name: array}, SPECS)[name]
    assert output.array is array
    assert (output.axes, output.caption) == (axes, caption)
    assert (output.of_source, output.of_mixture) == (of_source, of_mixture)
    assert output.is_image == (name != "weights")


def test_only_whole_images_and_differences_have_the_units_of_the_mixture():
    arrays = {"source_1": np.zeros((4, 5)), "residual": np.zeros((1, 4, 5)), "mask": np.zeros((4, 5))}
    found = {name: output.units for name, output in describe(arrays, SPECS, "density").items()}
    assert found == {"source_1": "density", "residual": "density", "mask": "own"}


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("halo", (4, 5), r"Expected an output that the task declares \(source_#, clean, .*\), got 'halo'"),
        ("mask_1", (4, 5), "got 'mask_1'"),
        ("mask", (4, 5, 3), r"Expected axes YX for the output 'mask', got shape \(4, 5, 3\)"),
        ("residual", (4, 5), r"Expected axes MYX\[C\] for the output 'residual', got shape \(4, 5\)"),
    ],
)
def test_what_is_not_declared_is_refused(name, shape, message):
    with pytest.raises(ValueError, match=message):
        describe({name: np.zeros(shape)}, SPECS)


def test_sources_are_found_by_their_kind_and_stacked():
    sources = RNG.random((3, 4, 5))
    outputs = describe({"mask": np.zeros((4, 5)), **numbered(sources)}, SPECS)
    assert source_names(outputs) == ["source_1", "source_2", "source_3"]
    np.testing.assert_array_equal(stack_sources(outputs), sources)


@pytest.mark.parametrize(
    "work",
    [
        lambda a: a - 0.5,
        lambda a: 2 * a,
        lambda a: a + a,
        lambda a: -a,
        lambda a: a > 0.5,
        lambda a: a[1:, ::2],
        lambda a: a.astype(np.float64),
        lambda a: a.mean(axis=0),
        np.isfinite,
        np.asarray,
        lambda a: np.asarray(a, dtype=np.float64),
        lambda a: np.stack([a, a]),
        lambda a: np.nanmax(a),
        lambda a: np.sum([a, a], axis=0),
        lambda a: np.concatenate([a, a]),
        lambda a: np.array(list(a)),
        len,
        lambda a: (a.shape, a.ndim, a.size, a.dtype),
    ],
)
def test_array_code_takes_an_output_for_its_array(work):
    array = RNG.random((4, 6)).astype(np.float32)
    found, expected = work(made(array)), work(array)
    assert type(found) is type(expected)
    np.testing.assert_equal(found, expected)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
def test_an_output_survives_copying(copied):
    output = made(RNG.random((4, 5)))
    again = copied(output)
    np.testing.assert_array_equal(again.array, output.array)
    assert (again.axes, again.kind, again.caption) == (output.axes, output.kind, output.caption)


def test_an_output_says_what_it_is_and_not_its_pixels():
    assert repr(made(np.zeros((4, 5), np.float32))) == "Output('Source 1', source, YX, float32 (4, 5))"
    with pytest.raises(AttributeError, match="brightness"):
        made(np.zeros((4, 5))).brightness  # noqa: B018
