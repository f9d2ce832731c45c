"""A user's own kinds of images: what is read, how it is mixed, and what is said about bad data."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

import napari_bitsnet as nb
from napari_bitsnet.training.crops import random_crop
from napari_bitsnet.training.planes import read_planes
from napari_bitsnet.training.protocol import TRAINERS
from napari_bitsnet.training.ytmt.kinds import Kinds
from napari_bitsnet.training.ytmt.scores import decibels, offset_free_gain

DEFAULTS: dict[str, Any] = {
    "mixing": "linear", "amounts": (0.3, 0.7), "noise": 0.0, "blur": 0.0,
    "zoom": 1.0, "aligned": 0.0, "colour": False, "size": 32, "seed": 0,
}  # fmt: skip


@pytest.fixture
def kinds_of_images(tmp_path) -> tuple[Path, Path]:
    """A folder of two 16-bit images of dots, and a stack of three 8-bit slices with stripes."""
    rng = np.random.default_rng(0)
    (tmp_path / "dots").mkdir()
    for k in range(2):
        dots = np.where(rng.random((80, 72)) < 0.05, 60000, 500).astype(np.uint16)
        tifffile.imwrite(tmp_path / "dots" / f"{k}.tif", dots)
    stripes = np.where(np.arange(70) % 14 < 7, 200, 20).astype(np.uint8)
    tifffile.imwrite(
        tmp_path / "stripes.tif", np.broadcast_to(stripes, (3, 64, 70)).copy(), metadata={"axes": "ZYX"}
    )
    return tmp_path / "dots", tmp_path / "stripes.tif"


def prepared(sources, names=("dots", "stripes"), **changes) -> Kinds:
    made = Kinds(sources, names, **{**DEFAULTS, **changes})
    assert all(step.note for step in made.prepare(Path()))
    return made


def make(sources, tmp_path, **settings):
    trainer = TRAINERS.get("ytmt")
    small = {"batch": 4, "size": 32, "width": 8, "levels": 2, "validation_pairs": 4, "validate_every": 10}
    return trainer(
        trainer.Config(**{**small, **settings}),
        {"source": list(sources)},
        folder=tmp_path / "run",
        device="cpu",
    )


def test_folders_stacks_and_zips_are_read_in_their_own_bits(kinds_of_images, tmp_path):
    dots, stripes = kinds_of_images
    read = list(read_planes(dots, colour=False))
    assert [tuple(image.shape) for image in read] == [(1, 80, 72)] * 2
    assert float(read[0].max()) == 60000
    assert [tuple(image.shape) for image in read_planes(stripes, colour=False)] == [(1, 64, 70)] * 3
    with zipfile.ZipFile(tmp_path / "dots.zip", "w") as archive:
        for path in sorted(dots.iterdir()):
            archive.write(path, path.name)
    assert all(
        torch.equal(a, b) for a, b in zip(read, read_planes(tmp_path / "dots.zip", colour=False), strict=True)
    )
    assert next(iter(read_planes(dots, colour=True))).shape == (3, 80, 72)


def test_a_zarr_folder_is_a_stack(tmp_path):
    zarr = pytest.importorskip("zarr")
    volume = np.random.default_rng(0).random((3, 40, 44)).astype(np.float32)
    zarr.save(str(tmp_path / "stack.zarr"), volume)
    read = list(read_planes(tmp_path / "stack.zarr", colour=False))
    np.testing.assert_array_equal(np.stack([image[0].numpy() for image in read]), volume)


def test_shares_add_up_to_the_mixture_with_weights_as_they_were_asked_for(kinds_of_images):
    drawn = prepared(kinds_of_images).draw(3, 16)
    torch.testing.assert_close(drawn.images.sum(dim=1), drawn.mixture, rtol=0, atol=1e-5)
    spans = drawn.images.amax(dim=(2, 3, 4)) - drawn.images.amin(dim=(2, 3, 4))
    parts = spans / spans.sum(dim=1, keepdim=True)
    assert 0.25 < float(parts.min()) < 0.45
    assert 0.55 < float(parts.max()) < 0.75
    fixed = prepared(kinds_of_images, amounts=(0.5, 0.5)).draw(3, 16)
    spans = fixed.images.amax(dim=(2, 3, 4)) - fixed.images.amin(dim=(2, 3, 4))
    torch.testing.assert_close(spans[:, 0], spans[:, 1], rtol=0.1, atol=0)
    assert float(drawn.mixture.min()) > -0.2
    assert float(drawn.mixture.max()) < 1.2


@pytest.mark.parametrize("aligned", [0.0, 1.0])
def test_images_of_the_same_fields_may_be_cut_at_the_same_place(tmp_path, aligned):
    field = np.random.default_rng(2).random((96, 96)).astype(np.float32)
    for name, image in (("a", field), ("b", 1 - field)):
        tifffile.imwrite(tmp_path / f"{name}.tif", image)
    sources = [tmp_path / "a.tif", tmp_path / "b.tif"]
    drawn = prepared(sources, "ab", aligned=aligned, amounts=(0.5, 0.5), zoom=1.3).draw(1, 6)
    flat = (drawn.mixture - drawn.mixture.mean(dim=(2, 3), keepdim=True)).abs().amax(dim=(1, 2, 3))
    contrast = drawn.images[:, 0].std(dim=(1, 2, 3))
    assert bool((flat < 0.2 * contrast).all()) == (aligned == 1)  # one is the negative of the other
    other = prepared([tmp_path / "a.tif", _cropped(tmp_path)], "ab", aligned=1.0).draw(1, 4)
    assert float(other.mixture.std()) > 0.05, "images of other sizes are of other fields"


def _cropped(folder: Path) -> Path:
    tifffile.imwrite(folder / "c.tif", tifffile.imread(folder / "b.tif")[:90])
    return folder / "c.tif"


def test_noise_belongs_to_no_kind_and_blur_to_all(kinds_of_images):
    sharp = prepared(kinds_of_images).draw(5, 8)
    noisy = prepared(kinds_of_images, noise=0.2).draw(5, 8)
    assert float((noisy.mixture - noisy.images.sum(dim=1)).std()) > 0.02
    soft = prepared(kinds_of_images, blur=4.0).draw(5, 8)
    torch.testing.assert_close(soft.images.sum(dim=1), soft.mixture, rtol=0, atol=1e-5)
    rough = [float(d.images.diff(dim=-1).abs().mean() / d.images.std()) for d in (soft, sharp)]
    assert rough[0] < 0.8 * rough[1]


def test_under_attenuation_optical_densities_add_up(tmp_path):
    rng = np.random.default_rng(1)
    densities = [rng.random((48, 48)).astype(np.float32) * 2 for _ in range(2)]
    for name, density in zip("ab", densities, strict=True):
        density[0, 0] = 0
        tifffile.imwrite(tmp_path / f"{name}.tif", (1000 * np.exp(-density)).astype(np.float32))
    made = prepared([tmp_path / "a.tif", tmp_path / "b.tif"], "ab", mixing="attenuation")
    seen = torch.cat([made.used[0][0], made.kept[0][0]], dim=1)[0].numpy()
    assert np.corrcoef(seen.ravel(), densities[0].ravel())[0, 1] > 0.9999


def test_held_out_images_are_not_trained_on(kinds_of_images, tmp_path):
    made = prepared(kinds_of_images)
    for used, kept, rows in zip(made.used, made.kept, (80, 64), strict=True):  # of few images, the lower part
        assert all(u.shape[1] + k.shape[1] == rows for u, k in zip(used, kept, strict=True))
    (tmp_path / "many").mkdir()
    for k in range(9):
        tifffile.imwrite(tmp_path / "many" / f"{k}.tif", np.eye(40, dtype=np.uint8) * (k + 1))
    many = prepared([tmp_path / "many", kinds_of_images[0]])
    assert (len(many.used[0]), len(many.kept[0])) == (7, 2)


@pytest.mark.parametrize("zoom", [1.0, 2.0])
def test_crops_are_turned_but_not_changed(zoom):
    image = torch.arange(40 * 50, dtype=torch.float32).reshape(1, 40, 50)
    draw = torch.Generator().manual_seed(0)
    for _ in range(8):
        crop = random_crop(image, 16, draw, turns=True, zoom=zoom)
        assert crop.shape == (1, 16, 16)
        if zoom == 1:
            steps = {abs(float(crop.diff(dim=axis).flatten()[0])) for axis in (-1, -2)}
            assert steps == {1.0, 50.0}
    assert random_crop(image, 64, draw, turns=True, zoom=1).shape == (1, 64, 64)


def test_own_kinds_are_trained_exported_and_used_at_once(kinds_of_images, tmp_path):
    trainer = make(kinds_of_images, tmp_path, steps=100, names="dots, stripes", rate=5e-3, averaging=0.9)
    trainer.check()
    *_, last = trainer.steps()
    assert next(iter(last.scores)) == "offset-free gain (dB)"
    assert last.scores["offset-free gain (dB)"] > 1
    assert set(last.scores) >= {"dots (dB)", "stripes (dB)"}
    assert last.picture.shape == (4 * 32, 5 * 32, 3)
    weights = tmp_path / "own.safetensors"
    trainer.export(weights)
    dots, stripes = (
        next(iter(read_planes(source, colour=False)))[0, :60, :60].numpy() for source in kinds_of_images
    )
    mixture = dots / 60000 + stripes / 200
    result = nb.separate(mixture, method="ytmt", settings={"weights": weights})
    seen = np.corrcoef([result.sources[0].ravel(), result.sources[1].ravel(), dots.ravel(), stripes.ravel()])
    assert seen[0, 2] > seen[0, 3] + 0.3
    assert seen[1, 3] > seen[1, 2] + 0.3
    assert result.outputs["source_1"].caption == "Source 1: dots"
    other = make(kinds_of_images, tmp_path, weights=weights, names="a,b")
    assert other.load(weights).sizes["streams"] == 2


def test_three_kinds_are_trained_together(kinds_of_images, tmp_path):
    tifffile.imwrite(tmp_path / "grain.tif", np.random.default_rng(3).random((64, 64)).astype(np.float32))
    trainer = make(
        [*kinds_of_images, tmp_path / "grain.tif"], tmp_path, steps=2, validate_every=1, variant="UAS"
    )
    trainer.check()
    *_, last = trainer.steps()
    assert {"dots (dB)", "stripes (dB)", "grain (dB)"} <= set(last.scores)
    assert trainer.facts()["kinds"] == ["dots", "stripes", "grain"]


def test_a_second_stage_begins_with_the_first_and_leaves_it_as_it_was(kinds_of_images, tmp_path):
    first = make(kinds_of_images, tmp_path, steps=2)
    list(first.steps())
    first.export(tmp_path / "first.safetensors")
    second = make(kinds_of_images, tmp_path, steps=2, variant="UCT", weights=tmp_path / "first.safetensors")
    second.folder = tmp_path / "second"
    second.check()
    list(second.steps())
    before = first.load(tmp_path / "first.safetensors").stages[0].state_dict()
    after = second._loop.network.stages[0].state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert second.facts()["network"]["stages"] == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": "a"}, "Expected 2 different names, one for each source, got 'a'"),
        ({"names": "a,a"}, "Expected 2 different names"),
        ({"amounts": (0.7, 0.3)}, "Expected two amounts above zero in rising order"),
        ({"variant": "UAT"}, "Expected the weights of a first stage to begin with"),
        ({"levels": 6}, "Expected mixtures whose side is a multiple of 64 pixels, got 32"),
    ],
)
def test_settings_that_do_not_go_together_are_refused_before_any_work(
    kinds_of_images, tmp_path, change, message
):
    with pytest.raises(ValueError, match=message):
        make(kinds_of_images, tmp_path, **change).check()


def test_bad_sources_are_refused_in_a_sentence(kinds_of_images, tmp_path):
    dots, stripes = kinds_of_images
    trainer = TRAINERS.get("ytmt")

    def check(**data):
        trainer(trainer.Config(), data, folder=tmp_path, device="cpu").check()

    with pytest.raises(ValueError, match=r"photographs .* or two to three sources .*, got neither"):
        check()
    with pytest.raises(ValueError, match="got both: give one of them"):
        check(photographs=[dots], source=[dots, stripes])
    with pytest.raises(ValueError, match="Expected two or three sources, one for each kind of image, got 1"):
        check(source=[dots])
    with pytest.raises(ValueError, match="got the same one twice"):
        check(source=[dots, dots])
    with pytest.raises(FileNotFoundError, match=r"Expected a folder or a .zip of images, got .*none"):
        check(source=[dots, tmp_path / "none"])
    tifffile.imwrite(tmp_path / "flat.tif", np.ones((64, 64), np.uint8))
    with pytest.raises(ValueError, match=r"Expected images with contrast, got flat ones in .*flat.tif"):
        prepared([dots, tmp_path / "flat.tif"])
    with pytest.raises(
        ValueError, match=r"Expected images of at least 96 pixels a side in .*dots, got 80 x 72"
    ):
        prepared(kinds_of_images, size=96)
    tifffile.imwrite(tmp_path / "nan.tif", np.full((64, 64), np.nan, np.float32))
    with pytest.raises(ValueError, match=r"missing or infinite ones in .*nan.tif"):
        prepared([dots, tmp_path / "nan.tif"])


def test_scores_against_their_definitions():
    truths = torch.rand(3, 2, 1, 8, 8, generator=torch.Generator().manual_seed(1)) / 2
    mixture = truths.sum(dim=1)
    nothing = offset_free_gain((mixture / 2)[:, None].expand(-1, 2, -1, -1, -1), mixture, truths)
    assert nothing == pytest.approx([0, 0], abs=1e-4)
    shifted = offset_free_gain(truths + 0.3, mixture, truths)
    assert min(shifted) > 60
    assert decibels(truths[:, 0] + 0.1, truths[:, 0]) == pytest.approx(20, abs=1e-3)
