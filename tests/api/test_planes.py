"""Stacks: every declared layout is taken apart and put back."""

import numpy as np
import pytest

from napari_bitsnet.api.planes import Planes
from napari_bitsnet.core.outputs import Output


def output(array, axes, kind="image") -> Output:
    return Output(np.asarray(array), axes, kind, "An output")


SIZES = {"Y": 5, "X": 7, "C": 3, "Z": 2, "T": 4, "M": 2}


@pytest.mark.parametrize("axes", ["YX", "YXC", "CYX", "ZYX", "TYXC", "TZYX", "YXZ", "CZYX", "XY"])
def test_planes_come_back_in_the_layout_they_came_in(axes):
    array = np.random.default_rng(0).random([SIZES[a] for a in axes]).astype(np.float32)
    planes = Planes(array, axes)
    assert planes[0].shape == ((5, 7, 3) if "C" in axes else (5, 7))
    plane_axes = "YXC" if "C" in axes else "YX"
    found = planes.assemble([output(planes[i], plane_axes) for i in range(len(planes))])
    np.testing.assert_array_equal(found.array, array)
    assert found.axes == planes.axes
    grey = planes.assemble([output(np.zeros((5, 7)), "YX", "map")] * len(planes))
    assert grey.axes == planes.axes.replace("C", "")
    assert grey.shape == tuple(SIZES[a] for a in grey.axes)


@pytest.mark.parametrize("axes", ["MYX", "MYXC", "ZMYX", "YX", "YXC"])
def test_several_mixtures_keep_their_axis_in_front_of_the_plane(axes):
    declared = axes if "M" in axes else "M" + axes
    array = np.random.default_rng(0).random([SIZES[a] for a in declared])
    planes = Planes(array, axes, several=True)
    assert planes[0].shape == ((2, 5, 7, 3) if "C" in axes else (2, 5, 7))
    plane_axes = "MYXC" if "C" in axes else "MYX"
    found = planes.assemble([output(planes[i], plane_axes) for i in range(len(planes))])
    np.testing.assert_array_equal(found.array, array)
    assert found.axes == declared
    source = planes.assemble([output(planes[i][0], plane_axes[1:]) for i in range(len(planes))])
    assert source.shape == tuple(SIZES[a] for a in declared if a != "M")


def test_a_list_of_mixtures_is_stacked():
    assert Planes([np.zeros((5, 7)), np.ones((5, 7))], several=True)[0].shape == (2, 5, 7)
    with pytest.raises(ValueError, match="images of one shape"):
        Planes([np.zeros((5, 7)), np.ones((5, 8))], several=True)
    with pytest.raises(ValueError, match="several mixtures"):
        Planes(np.zeros((5, 7)), several=True)


def test_what_is_no_image_is_stacked_behind_the_stack_axes():
    planes = Planes(np.zeros((3, 5, 7)), "ZYX")
    weights = planes.assemble([output(np.zeros((2, 2)), "MK", "values")] * 3)
    assert (weights.shape, weights.axes) == ((3, 2, 2), "ZMK")


@pytest.mark.parametrize("axes", ["YXC", "CYX", "ZYX"])
def test_feature_maps_keep_their_own_channels(axes):
    planes = Planes(np.zeros([SIZES[a] for a in axes]), axes)
    maps = np.arange(5 * 5 * 7.0).reshape(5, 5, 7)  # as many channels as rows
    found = planes.assemble([output(maps, "CYX", "features")] * len(planes))
    stack = "".join(planes.stack_axes)
    assert found.axes == f"{stack}CYX"
    np.testing.assert_array_equal(found.array, np.stack([maps] * 2) if stack else maps)


def test_failed_planes_become_nan():
    planes = Planes(np.zeros((2, 5, 7)), "ZYX")
    out = planes.assemble([None, output(np.ones((5, 7), np.float32), "YX")])
    assert np.isnan(out[0]).all()
    assert (out[1] == 1).all()


def test_guides_are_one_for_all_or_one_a_slice():
    planes = Planes(np.zeros((2, 5, 7)), "ZYX")
    one = planes.match(np.ones((5, 7, 3)), "the guide")
    each = planes.match(np.arange(2 * 5 * 7 * 3).reshape(2, 5, 7, 3), "the guide")
    assert planes.plane_of(one, 1).shape == (5, 7, 3)
    assert planes.plane_of(each, 1)[0, 0, 0] == 5 * 7 * 3
    assert planes.plane_of(planes.match(None, "hints"), 0) is None
    with pytest.raises(ValueError, match="Expected the guide as one plane or a stack"):
        planes.match(np.ones((3, 4, 5, 7, 3)), "the guide")


def test_only_the_plane_asked_for_is_read():
    class Lazy:
        shape, dtype = (4, 5, 7), np.dtype(float)
        read = 0

        def __getitem__(self, index):
            Lazy.read += 1
            return np.zeros((5, 7))

    planes = Planes(Lazy(), "ZYX")
    planes[2]
    assert Lazy.read == 1


@pytest.mark.parametrize(
    ("shape", "axes", "message"),
    [
        ((4, 5, 7), None, 'axes="ZYX"'),
        ((5,), None, "say what its dimensions are"),
        ((4, 5), "ZYX", "one different letter a dimension"),
        ((4, 5), "ZY", "Y and X among them"),
        ((5, 7), "YY", "one different letter"),
    ],
)
def test_doubtful_axes_are_refused(shape, axes, message):
    with pytest.raises(ValueError, match=message):
        Planes(np.zeros(shape), axes)


def test_colour_taken_for_a_stack_is_refused():
    with pytest.raises(ValueError, match=r"got 3 pixels along X with axes='ZYX'.*colour channels are C"):
        Planes(np.zeros((64, 64, 3)), "ZYX")


def test_file_names_are_no_images():
    with pytest.raises(TypeError, match=r"got a file name: read it first, for example tifffile.imread"):
        Planes("scan.tif")
    with pytest.raises(TypeError, match="array for guide 1, got a file name"):
        Planes(np.zeros((5, 7))).match("front.tif", "guide 1")
