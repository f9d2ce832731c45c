"""The first image of a file is not always the image: thumbnails, overviews, masks and cameras' raw files."""

import numpy as np
import pytest
import tifffile

from napari_bitsnet.io.read import read_image

RNG = np.random.default_rng(4)
FULL = RNG.integers(0, 65536, (40, 60), dtype=np.uint16)
SMALL = RNG.integers(0, 256, (10, 15, 3), dtype=np.uint8)
REDUCED, MASK = 1, 4
CFA, LINEAR_RAW = 32803, 34892


def write(path, *pages, **options):
    """Write pages of (array, options) into one file."""
    with tifffile.TiffWriter(path, **options) as tiff:
        for image, page in pages:
            tiff.write(image, metadata=None, **page)


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("bigtiff", [True, False])
def test_a_thumbnail_before_the_image(tmp_path, byteorder, bigtiff):
    pages = (SMALL, {"subfiletype": REDUCED}), (FULL, {})
    write(tmp_path / "a.tif", *pages, byteorder=byteorder, bigtiff=bigtiff)
    file = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(file.array, FULL)
    assert file.notices == ("a.tif begins with a reduced copy, which is left out.",)


def test_a_thumbnail_with_the_image_below_it(tmp_path):
    write(tmp_path / "a.tif", (SMALL, {"subfiletype": REDUCED, "subifds": 1}), (FULL, {}))
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").array, FULL)


def test_a_thumbnail_by_the_older_tag(tmp_path):
    write(tmp_path / "a.tif", (SMALL, {"extratags": [(255, "H", 1, 2, True)]}), (FULL, {}))
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").array, FULL)


def test_overviews_behind_the_image_are_not_counted(tmp_path):
    write(
        tmp_path / "a.tif",
        (FULL, {}),
        (FULL[::2, ::2], {"subfiletype": REDUCED}),
        (FULL[::4, ::4], {"subfiletype": REDUCED}),
    )
    file = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(file.array, FULL)
    assert file.notices == ()


def test_overviews_by_themselves_give_the_largest(tmp_path):
    write(
        tmp_path / "a.tif",
        (FULL[::4, ::4], {"subfiletype": REDUCED}),
        (FULL[::2, ::2], {"subfiletype": REDUCED}),
    )
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").array, FULL[::2, ::2])


def test_a_pyramid(tmp_path):
    write(
        tmp_path / "a.tif",
        (FULL, {"subifds": 2}),
        (FULL[::2, ::2], {"subfiletype": REDUCED}),
        (FULL[::4, ::4], {"subfiletype": REDUCED}),
    )
    file = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(file.array, FULL)
    assert file.notices == ()


def test_a_larger_image_behind_the_first_is_said(tmp_path):
    write(tmp_path / "a.tif", (FULL[:20], {}), (FULL, {}))
    file = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(file.array, FULL[:20])
    assert file.notices == (
        "a.tif holds 2 images, of which the first is read (20x60), which is not the largest.",
    )


@pytest.mark.parametrize("photometric", [CFA, LINEAR_RAW])
@pytest.mark.parametrize("place", ["first", "below", "behind"])
def test_raw_files_of_cameras_are_refused(tmp_path, photometric, place):
    values = FULL if photometric == CFA else np.stack([FULL] * 3, -1)
    raw = (values, {"photometric": photometric})
    pages = {
        "first": [raw],
        "below": [(SMALL, {"subfiletype": REDUCED, "subifds": 1}), raw],
        "behind": [(SMALL, {"subfiletype": REDUCED}), raw],
    }[place]
    write(tmp_path / "a.tif", *pages)
    with pytest.raises(
        ValueError, match=r"Expected a developed image, got .*, a camera's raw file: develop it"
    ):
        read_image(tmp_path / "a.tif")


def test_digital_negatives_are_refused_whatever_their_pages_say(tmp_path):
    write(tmp_path / "a.dng", (SMALL, {"extratags": [(50706, "B", 4, b"\1\4\0\0", True)]}), (FULL, {}))
    with pytest.raises(ValueError, match="Expected a camera's raw file that LibRaw knows"):
        read_image(tmp_path / "a.dng")


def test_canon_raw_files_are_known_by_their_beginning(tmp_path):
    write(tmp_path / "a.tif", (SMALL, {}))
    contents = (tmp_path / "a.tif").read_bytes()
    shifted = contents[:4] + (16).to_bytes(4, "little") + b"CR\2\0" + contents[12:]
    at = int.from_bytes(contents[4:8], "little")
    entries = contents[at:]  # the directory moves behind the pixels, where its own offsets still hold
    (tmp_path / "a.cr2").write_bytes(shifted[:4] + len(shifted).to_bytes(4, "little") + shifted[8:] + entries)
    with pytest.raises(
        ValueError, match=r"(Expected a camera's raw file that LibRaw knows|a whole image file), got .*a\.cr2"
    ):
        read_image(tmp_path / "a.cr2")


def test_a_file_without_images(tmp_path):
    for name, contents in {"none": b"II*\0\0\0\0\0", "empty": b"II*\0\x08\0\0\0\0\0\0\0\0\0"}.items():
        (tmp_path / f"{name}.tif").write_bytes(contents)
        with pytest.raises(
            ValueError, match=rf"Expected a TIFF with an image, got .*{name}\.tif, which holds none"
        ):
            read_image(tmp_path / f"{name}.tif")
