"""Images that do not fit into memory: reduced as they are read, solved in tiles without seams."""

import dask
import dask.array
import numpy as np
import pytest
import zarr

import napari_bitsnet as nb
from napari_bitsnet.api import tiles
from napari_bitsnet.api.large_inputs import block_means
from tests.panels import shared_panel

SIDE = 160
PANEL = shared_panel(2, SIDE)
QUICK = {"preset": "quick", "guides": PANEL.guides}

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Reduce by two."""
    monkeypatch.setattr(tiles, "REDUCED", SIDE * SIDE // 4)


def computed(outputs):
    return dask.compute(dict(outputs), scheduler="sync")[0]


def decibels(image, reference):
    return 10 * np.log10(np.var(reference) / np.var(image - reference))


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_block_means_are_those_of_the_pixels_that_are_there(factor):
    rng = np.random.default_rng(0)
    image = rng.uniform(0, 9, (7, 8, 4))
    image[..., 3] = rng.integers(0, 2, (7, 8))
    image[2, 3, 1] = np.nan
    missing = rng.uniform(size=(7, 8)) < 0.2
    found = block_means(image, factor, missing)
    seen = (image[..., 3] != 0) & np.isfinite(image).all(axis=-1) & ~missing
    assert found.shape == (-(-7 // factor), -(-8 // factor), 3)
    for y in range(found.shape[0]):
        for x in range(found.shape[1]):
            block = np.s_[factor * y : factor * (y + 1), factor * x : factor * (x + 1)]
            if seen[block].mean() < 0.5:
                assert np.isnan(found[y, x]).all()
            else:
                np.testing.assert_allclose(
                    found[y, x], image[block][seen[block]][:, :3].mean(axis=0), rtol=1e-6
                )


def test_there_are_no_seams_whatever_the_tiles():
    """Tiles differ by rounding alone: all of an answer is a function of the whole image and of a pixel's
    surroundings."""
    one, several = (
        computed(nb.run_in_tiles("xray", PANEL.mixture, tile=side, **QUICK)) for side in (SIDE, 64)
    )
    for name, image in one.items():
        np.testing.assert_allclose(several[name], image, atol=1e-4 * np.std(PANEL.mixture), rtol=0)
        assert image.shape == (SIDE, SIDE)
        assert image.dtype == np.float32


def test_tiles_are_what_a_run_of_the_whole_gives():
    found = computed(nb.run_in_tiles("xray", PANEL.mixture, tile=64, **QUICK))
    whole = nb.run("xray", PANEL.mixture, **QUICK)
    assert set(found) == set(whole.outputs)
    np.testing.assert_allclose(found["source_1"] + found["source_2"], PANEL.mixture, atol=0.1)
    for k in (1, 2):
        assert decibels(found[f"source_{k}"], whole.outputs[f"source_{k}"].array) > 12
        ours, theirs = (
            decibels(each, PANEL.truths[k - 1]) for each in (found[f"source_{k}"], whole.sources[k - 1])
        )
        assert ours > theirs - 1
    # what the fit did not see in its two pixels of one: detail by the guide's colours
    fine = [np.diff(each, axis=1) for each in (found["explained_1"], whole.outputs["explained_1"].array)]
    assert np.corrcoef(fine[0].ravel(), fine[1].ravel())[0, 1] > 0.8


def test_an_image_that_is_not_reduced_gives_the_answer_of_a_run(monkeypatch):
    monkeypatch.setattr(tiles, "REDUCED", SIDE * SIDE)
    found = computed(nb.run_in_tiles("xray", PANEL.mixture, tile=64, **QUICK))
    whole = nb.run("xray", PANEL.mixture, **QUICK)
    for name, output in whole.outputs.items():
        if name != "residual":
            np.testing.assert_allclose(found[name], output.array, atol=2e-3 * np.std(PANEL.mixture), rtol=0)


def test_missing_pixels_are_missing_and_no_tile_needs_any():
    mask = np.zeros((SIDE, SIDE), bool)
    mask[:64, :64] = True  # a tile of its own
    mask[100, 90:120] = True
    mixture = np.where(mask, 0, PANEL.mixture)
    found = computed(nb.run_in_tiles("xray", mixture, mask=mask, tile=64, **QUICK))
    for name in ("source_1", "unexplained", "residual"):
        np.testing.assert_array_equal(np.isnan(found[name]), mask)


@pytest.mark.parametrize("output", ["density", "intensity"])
def test_tiles_share_the_intensity_without_an_object(output):
    options = {"mixing": "attenuation", "output": output, **QUICK}
    mixture = (50000 * np.exp(-PANEL.mixture.clip(0) / PANEL.mixture.max())).astype(np.uint16)
    outputs = nb.run_in_tiles("xray", mixture, tile=64, **options)
    found = computed(outputs)
    first, second = found["source_1"].astype(float), found["source_2"].astype(float)
    i0 = outputs.provenance["i0"]
    total = first + second if output == "density" else -np.log(first / i0) - np.log(second / i0)
    np.testing.assert_allclose(i0 * np.exp(-total), mixture, rtol=1e-3)


def test_colours_and_channels_first_are_read_as_they_lie(tmp_path):
    mixture = np.stack([PANEL.mixture, PANEL.mixture // 2, PANEL.mixture // 3])
    store = zarr.open_array(
        str(tmp_path / "m.zarr"), mode="w", shape=mixture.shape, dtype="u2", chunks=(3, 64, 64)
    )
    store[:] = mixture
    guides = [dask.array.from_array(guide, chunks=64) for guide in PANEL.guides]
    outputs = nb.run_in_tiles("xray", store, guides=guides, axes="CYX", tile=64, preset="quick")
    found = computed(outputs)
    assert found["source_1"].shape == (3, SIDE, SIDE)
    np.testing.assert_allclose(found["source_1"] + found["source_2"], mixture, atol=0.1)
    assert outputs.provenance["reduced_by"] == 2
    paths = outputs.to_zarr(tmp_path / "out", "scan", names=["source_2"])
    np.testing.assert_array_equal(np.asarray(nb.read(paths[0]).array), found["source_2"])


def test_tiles_hold_neither_the_images_nor_the_fit(monkeypatch):
    import cloudpickle

    stacks = [dask.array.from_array(each, chunks=64) for each in (PANEL.mixture, *PANEL.guides)]
    outputs = nb.run_in_tiles("xray", stacks[0], guides=stacks[1:], tile=64, preset="quick")
    tasks = dict(outputs["source_1"].__dask_graph__())
    sizes = [len(cloudpickle.dumps(task)) for key, task in tasks.items() if str(key).startswith("_tile-")]
    assert len(sizes) == 9
    assert max(sizes) < 10_000


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"task": "denoise"}, "a task whose sources are shares"),
        ({"task": "separate", "guides": ()}, "a method that works in tiles"),
        ({"support": True}, "no support="),
        ({"tile": 32}, "at least 64 pixels"),
        ({"mixture": np.zeros((3, 8, 8)), "axes": "ZYX"}, "one image, got a stack"),
        ({"guides": [PANEL.guides[0][:80]]}, "guide 1 of"),
    ],
)
def test_what_cannot_be_done_in_tiles_is_said(given, message):
    arguments = {"task": "xray", "mixture": PANEL.mixture, **QUICK, **given}
    with pytest.raises(ValueError, match=message):
        nb.run_in_tiles(arguments.pop("task"), arguments.pop("mixture"), **arguments)
