"""The files of a run become its arrays: declared axes, masks, labels and photographs as they are meant."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_bitsnet.cli.job import Job

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 65536, (20, 30), dtype=np.uint16)
MASK = np.zeros((20, 30), bool)
MASK[3:9, 8:21] = True
PHOTOMETRIC = 262


@pytest.fixture
def mixture(tmp_path):
    tifffile.imwrite(tmp_path / "mix.tif", GREY)
    return tmp_path / "mix.tif"


def channels(path, n, *, last=False):
    stack = RNG.integers(0, 65536, (n, 20, 30), dtype=np.uint16)
    if last:
        options = {"photometric": "minisblack", "planarconfig": "contig"}
        tifffile.imwrite(path, np.moveaxis(stack, 0, -1), **options)
    else:
        tifffile.imwrite(path, stack, imagej=True, metadata={"axes": "CYX"})
    return path


# --- Axes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 4, 5])
@pytest.mark.parametrize("axes", ["MYX", "ZYX", "myx"])
@pytest.mark.parametrize("several", [True, False])
def test_axes_that_are_given_go_before_the_files(tmp_path, n, axes, several):
    path = channels(tmp_path / "a.tif", n)
    images = Job((path,), several=several).read(axes)
    assert images.axes == axes
    assert images.mixture.shape == (n, 20, 30)


@pytest.mark.parametrize("n", [2, 4, 5])
@pytest.mark.parametrize("last", [True, False])
def test_channels_that_are_no_colours_are_the_mixtures_where_several_are_taken(tmp_path, n, last):
    images = Job((channels(tmp_path / "a.tif", n, last=last),), several=True).read()
    assert images.axes == ("YXM" if last else "MYX")


@pytest.mark.parametrize("n", [2, 4, 5])
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("axes", [None, "given"])
def test_channels_that_are_no_colours_ask_elsewhere(tmp_path, n, last, axes):
    path = channels(tmp_path / "a.tif", n, last=last)
    with pytest.raises(ValueError, match=rf'which has {n} channels.*axes="ZYX" to take each by itself'):
        Job((path,)).read(("YXC" if last else "CYX") if axes else None)


@pytest.mark.parametrize("role", ["guides", "truths", "mask"])
def test_four_channels_are_no_photograph(tmp_path, mixture, role):
    path = channels(tmp_path / "a.tif", 4, last=True)
    with pytest.raises(ValueError, match="does not say that the fourth is opacity"):
        Job((mixture,), **{role: path if role == "mask" else (path,)}).read()


def test_three_channels_may_be_colours_or_mixtures(tmp_path):
    path = channels(tmp_path / "a.tif", 3)
    assert Job((path,)).read().axes == "CYX"
    with pytest.raises(
        ValueError, match='name two files or more, or one stack, or say axes="MYX" if its channels'
    ):
        Job((path,), several=True).read()


def test_several_files_with_channels_that_are_no_colours_ask(tmp_path):
    files = channels(tmp_path / "a.tif", 4), channels(tmp_path / "b.tif", 4)
    with pytest.raises(ValueError, match="which has 4 channels"):
        Job(files, several=True).read()
    assert Job(files, several=True).read("ZYX").mixture.shape == (2, 4, 20, 30)


# --- Masks and labels ----------------------------------------------------------------------------------


def as_png(path, mask):
    Image.fromarray(mask).save(path)


def as_fax(path, mask):
    Image.fromarray(mask).save(path, compression="group4")


def as_white_is_zero(path, mask):
    tifffile.imwrite(path, np.where(mask, 0, 255).astype(np.uint8), photometric="miniswhite")


def as_palette(path, mask):
    image = Image.fromarray(mask.astype(np.uint8), "P")
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.save(path)


def as_opacity(path, mask):
    Image.fromarray(np.stack([np.full(mask.shape, 255), 255 * mask], -1).astype(np.uint8), "LA").save(path)


def as_missing(path, mask):
    stored = np.where(mask, 7, -9999).astype(np.int16)
    tifffile.imwrite(path, stored, extratags=[(42113, "s", 0, "-9999", True)])


@pytest.mark.parametrize(
    ("write", "suffix"),
    [
        (as_png, "png"),
        (as_fax, "tif"),
        (as_white_is_zero, "tif"),
        (as_palette, "png"),
        (as_opacity, "png"),
        (as_missing, "tif"),
    ],
)
def test_a_mask_is_the_same_in_every_file(tmp_path, mixture, write, suffix):
    write(tmp_path / f"mask.{suffix}", MASK)
    np.testing.assert_array_equal(Job((mixture,), mask=tmp_path / f"mask.{suffix}").read().mask, MASK)


def test_a_fax_whose_white_is_zero(tmp_path, mixture):
    Image.fromarray(~MASK).save(tmp_path / "mask.tif", compression="group4")
    with tifffile.TiffFile(tmp_path / "mask.tif", mode="r+b") as tiff:
        tiff.pages.first.tags[PHOTOMETRIC].overwrite(0)
    images = Job((mixture,), mask=tmp_path / "mask.tif").read()
    np.testing.assert_array_equal(images.mask, MASK)
    assert images.notices == (
        "mask.tif says that white is zero; its values are inverted, as other programs show it.",
    )


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_mask_as_jpeg_is_taken_at_half_and_said(tmp_path, mixture, mode):
    Image.fromarray(MASK).convert(mode).save(tmp_path / "mask.jpg", quality=60)
    assert len(np.unique(np.asarray(Image.open(tmp_path / "mask.jpg")))) > 2
    images = Job((mixture,), mask=tmp_path / "mask.jpg").read()
    np.testing.assert_array_equal(images.mask, MASK)
    assert images.notices == (
        "mask.jpg is a mask with JPEG compression, which blurs its outlines; pixels brighter than half are "
        "taken. Save masks as PNG.",
    )


def test_labels_of_a_palette_are_its_indices(tmp_path, mixture):
    labels = RNG.integers(0, 3, (20, 30), dtype=np.uint8)
    image = Image.fromarray(labels, "P")
    image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    for name in ("hints.png", "hints.tif"):
        image.save(tmp_path / name)
        np.testing.assert_array_equal(Job((mixture,), hints=tmp_path / name).read().hints, labels)


def test_labels_whose_white_is_zero(tmp_path, mixture):
    labels = RNG.integers(0, 3, (20, 30), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "hints.tif", 255 - labels, photometric="miniswhite")
    np.testing.assert_array_equal(Job((mixture,), hints=tmp_path / "hints.tif").read().hints, labels)


def test_labels_that_are_missing_say_nothing(tmp_path, mixture):
    labels = RNG.integers(0, 3, (20, 30)).astype(np.int16)
    stored = np.where(labels == 0, -1, labels)
    tifffile.imwrite(tmp_path / "hints.tif", stored, extratags=[(42113, "s", 0, "-1", True)])
    np.testing.assert_array_equal(Job((mixture,), hints=tmp_path / "hints.tif").read().hints, labels)


def test_labels_as_jpeg_are_refused(tmp_path, mixture):
    Image.fromarray(MASK).convert("L").save(tmp_path / "hints.jpg")
    with pytest.raises(
        ValueError, match=r"Expected hints as exact labels, got .*JPEG compression.*: save it as PNG"
    ):
        Job((mixture,), hints=tmp_path / "hints.jpg").read()


# --- Photographs ---------------------------------------------------------------------------------------


def test_a_photograph_is_what_is_shown_and_a_mixture_what_is_stored(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GREY, photometric="miniswhite")
    images = Job((tmp_path / "a.tif",), guides=(tmp_path / "a.tif", None)).read()
    np.testing.assert_array_equal(images.mixture, GREY)
    np.testing.assert_array_equal(images.guides[0], 65535 - GREY)
    assert images.guides[1] is None
    assert [("as they are stored" in n.replace("\n", " "), "are inverted" in n) for n in images.notices] == [
        (True, False),
        (False, True),
    ]


def test_a_photograph_from_a_turned_camera(tmp_path, mixture):
    exif = Image.Exif()
    exif[274] = 6
    picture = RNG.integers(0, 256, (30, 20, 3), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "front.png", exif=exif)
    images = Job((mixture,), guides=(tmp_path / "front.png",)).read()
    np.testing.assert_array_equal(images.guides[0], np.rot90(picture, -1))
    assert [n for n in images.notices if n.startswith("front.png is stored in another orientation (EXIF 6)")]
