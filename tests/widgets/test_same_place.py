"""A feature of the image and the same feature of the results lie at one place of the world, whatever the
image."""

from __future__ import annotations

import numpy as np
import pytest

AFFINE = np.array([[1.1, 0.2, 8], [-0.1, 0.9, 9], [0, 0, 1.0]])
"""Of the last two axes."""

CASES = {
    # shape, slices, region, level
    "plane": ((20, 30), "current", False, 0),
    "colours": ((20, 30, 3), "current", False, 0),
    "region": ((20, 30), "current", True, 0),
    "region in colours": ((20, 30, 3), "current", True, 0),
    "slice": ((4, 20, 30), "current", False, 0),
    "stack": ((4, 20, 30), "all", False, 0),
    "stack in colours": ((4, 20, 30, 3), "all", True, 0),
    "slice of a time series": ((2, 3, 20, 30), "current", True, 0),
    "time series": ((2, 3, 20, 30), "all", False, 0),
    "dask": ((4, 20, 30), "all", False, 0),
    "slice of dask": ((4, 20, 30), "current", True, 0),
    "level": ((32, 48), "current", False, 1),
    "region of a level": ((32, 48), "current", True, 2),
    "level of a stack": ((3, 32, 48), "all", False, 1),
}


def odd(ndim, *, sliced):
    """Values that are different for each axis, and none of them the default.

    A slice of a stack is a plane of the world only where shear does not lead out of it.
    """
    shear = np.linspace(0.1, 0.3, ndim * (ndim - 1) // 2)
    if sliced:
        shear[:-1] = 0
    affine = np.eye(ndim + 1)
    affine[ndim - 2 : ndim, ndim - 2 :] = AFFINE[:2]
    affine[: ndim - 2, -1] = 7
    return {
        "scale": np.array([2.0, 3.0, 0.5, 0.3])[-ndim:],
        "translate": np.array([3.0, 6.0, 4.0, 5.0])[-ndim:],
        "rotate": rotation(ndim),
        "shear": shear,
        "affine": affine,
        "units": ("s", "um", "mm", "mm")[-ndim:],
        "axis_labels": ("t", "z", "y", "x")[-ndim:],
    }


def rotation(ndim):
    """By 30 degrees in the last two axes."""
    matrix = np.eye(ndim)
    c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
    matrix[-2:, -2:] = [[c, -s], [s, c]]
    return matrix


@pytest.mark.parametrize("name", CASES)
def test_a_feature_stays_at_its_place(undocked, fake_run, name):
    shape, slices, region, level = CASES[name]
    rgb = shape[-1] == 3
    ndim = len(shape) - rgb
    factor = 2**level
    place = np.array([1, 2, 12, 16])[-ndim:] if ndim > 2 else np.array([12, 16])
    place[:-2] = np.minimum(place[:-2], np.array(shape[: ndim - 2]) - 1)
    data = np.random.default_rng(0).random(shape).astype(np.float32) * 0.5
    data[(*place[:-2], slice(12, 12 + factor), slice(16, 16 + factor))] = 1  # one pixel of the level
    if "dask" in name:
        data = pytest.importorskip("dask.array").from_array(data, chunks=shape[:1] + shape[1:])
    levels = [data[..., ::f, ::f] for f in (1, 2, 4)] if level else data
    viewer, form = undocked.viewer, undocked.widget.form
    viewer.layers.clear()
    look = {} if rgb else {"colormap": "magma"}
    layer = viewer.add_image(
        levels, name="odd", rgb=rgb, multiscale=bool(level), **odd(ndim, sliced=slices == "current"), **look
    )
    form.inputs.choose("mixture", [layer])
    if ndim > 2:
        form.part.slices.choose(slices)
        viewer.dims.point = layer.data_to_world(place)
    if region:
        corners = [(*place[:-2], y, x) for y, x in ((8, 8), (8, 27), (19, 27), (19, 8))]
        world = np.array([layer.data_to_world(c) for c in corners])
        viewer.add_shapes([world], ndim=ndim)
        form.part.region.choose("rectangle")
    if level:
        form.part.level.choose(level)
    run = undocked.widget.run()
    undocked.wait_idle()
    assert run is not None, undocked.widget.notice.text
    source = run.layers[0]
    shown = np.asarray(source.data).mean(axis=-1) if rgb else np.asarray(source.data)
    found = np.unravel_index(np.nanargmax(shown), shown.shape)
    feature = np.array(place, float)
    feature[-2:] += (factor - 1) / 2
    np.testing.assert_allclose(source.data_to_world(found), layer.data_to_world(feature), atol=1e-9)
    assert source.units == layer.units
    assert source.axis_labels == layer.axis_labels
    assert rgb or source.colormap.name == "magma"
    assert source.ndim == ndim
