"""What is missing in a file is an error or a notice, never zeros or fewer slices."""

import logging
import os

import numpy as np
import pytest
import tifffile

from napari_bitsnet.io.read import read_image

RNG = np.random.default_rng(5)
STACK = RNG.integers(1, 65536, (6, 40, 60), dtype=np.uint16)
CUT = (
    r"Expected a whole image file, got .*a\.tif, which is truncated or damaged \(.*\): "
    "copy or export it again"
)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.7, 0.9])
@pytest.mark.parametrize(
    "kind",
    ["pages", "contiguous", "imagej", "ome", "bigtiff", "big endian", "lzw", "zstd", "tiles", "imagej pages"],
)
def test_truncated_stacks(tmp_path, kind, share):
    path = tmp_path / "a.tif"
    if kind == "pages":
        with tifffile.TiffWriter(path) as tiff:
            for image in STACK:
                tiff.write(image, contiguous=False, metadata=None)
    elif kind == "imagej pages":
        with tifffile.TiffWriter(path, imagej=True) as tiff:
            tiff.write(STACK, compression="zlib", metadata={"axes": "ZYX"})
    else:
        options = {
            "contiguous": {},
            "imagej": {"imagej": True},
            "ome": {"ome": True, "metadata": {"axes": "ZYX"}},
            "bigtiff": {"bigtiff": True},
            "big endian": {"byteorder": ">"},
            "lzw": {"compression": "lzw"},
            "zstd": {"compression": "zstd"},
            "tiles": {"tile": (16, 16)},
        }[kind]
        tifffile.imwrite(path, STACK, photometric="minisblack", **options)
    whole = path.read_bytes()
    np.testing.assert_array_equal(read_image(path).array, STACK)
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=CUT):
        read_image(path)


def test_lost_metadata_cost_no_pixels(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", STACK, photometric="minisblack", ome=True, metadata={"axes": "ZYX"})
    whole = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(whole[:-20])  # the XML stands at the end
    file = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(file.array, STACK)
    assert len(file.notices) == 1
    assert "the TIFF library reports" in file.notices[0]


@pytest.mark.parametrize("compression", ["lzw", "zlib", "zstd", "packbits"])
def test_pixels_that_a_decoder_refuses(tmp_path, compression):
    tifffile.imwrite(tmp_path / "a.tif", np.repeat(STACK[0], 3, 1), compression=compression, rowsperstrip=4)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        at, n = tiff.pages.first.dataoffsets[3], tiff.pages.first.databytecounts[3]
    contents = bytearray((tmp_path / "a.tif").read_bytes())
    contents[at : at + n] = b"\x80" * n if compression == "packbits" else b"\xff" * n
    (tmp_path / "a.tif").write_bytes(contents)
    with pytest.raises(ValueError, match=CUT):
        read_image(tmp_path / "a.tif")


def write_set(folder, n=3, *, names=None, missing=()):
    """A set of OME-TIFFs of one slice each, every one of which names them all."""
    names = names or [f"z{z}.ome.tif" for z in range(n)]
    identifiers = [f"urn:uuid:00000000-0000-0000-0000-{z:012d}" for z in range(n)]
    parts = "".join(
        f'<TiffData FirstZ="{z}" IFD="0" PlaneCount="1"><UUID FileName="{name}">{key}</UUID></TiffData>'
        for z, (name, key) in enumerate(zip(names, identifiers, strict=True))
    )
    for z in range(n):
        if z in missing:
            continue
        xml = (
            f'<?xml version="1.0" encoding="UTF-8"?>'
            f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="{identifiers[z]}">'
            f'<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" '
            f'SizeX="60" SizeY="40" SizeZ="{n}" '
            f'SizeC="1" SizeT="1"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>{parts}'
            "</Pixels></Image></OME>"
        )
        tifffile.imwrite(folder / f"z{z}.ome.tif", STACK[z], description=xml, metadata=None)
    return folder / "z0.ome.tif"


def test_a_set_of_files_is_one_stack(tmp_path):
    file = read_image(write_set(tmp_path))
    assert file.axes == "ZYX"
    np.testing.assert_array_equal(file.array, STACK[:3])


@pytest.mark.parametrize("missing", [(1,), (1, 2)])
def test_a_set_with_files_missing(tmp_path, missing):
    path = write_set(tmp_path, missing=missing)
    names = ", ".join(f"z{z}.ome.tif" for z in missing)
    with pytest.raises(
        ValueError, match=rf"Expected all files of a multi-file OME-TIFF, got .* without {names}"
    ):
        read_image(path)


def test_a_set_with_a_file_that_is_none(tmp_path):
    path = write_set(tmp_path)
    (tmp_path / "z1.ome.tif").write_text("no TIFF")
    with pytest.raises(ValueError, match=r"truncated or damaged .*z1"):
        read_image(path)


@pytest.mark.parametrize(
    "name", ["../outside.tif", "/etc/passwd", "sub/../../outside.tif", r"..\outside.tif", r"C:\outside.tif"]
)
def test_no_file_outside_the_folder_is_opened(tmp_path, monkeypatch, name):
    folder = tmp_path / "inside"
    folder.mkdir()
    tifffile.imwrite(tmp_path / "outside.tif", STACK[1])
    path = write_set(folder, 2, names=["z0.ome.tif", name], missing=(1,))
    opened = []
    real = tifffile.FileHandle.open
    monkeypatch.setattr(tifffile.FileHandle, "open", lambda self: (opened.append(self._file), real(self))[1])
    with pytest.raises(
        ValueError, match=r"Expected an OME-TIFF whose parts lie in its own folder, got .*which names"
    ):
        read_image(path)
    assert {os.path.realpath(each) for each in opened} == {os.path.realpath(path)}


def test_one_file_that_was_renamed_is_read(tmp_path):
    path = write_set(tmp_path, 1, names=["an older name.ome.tif"])
    np.testing.assert_array_equal(read_image(path).array.squeeze(), STACK[0])


def test_what_is_left_empty_is_said(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", STACK[0], rowsperstrip=8)
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+b") as tiff:
        page = tiff.pages.first
        n = len(page.databytecounts)
        page.tags["StripByteCounts"].overwrite((0, *page.databytecounts[1:]))
        page.tags["StripOffsets"].overwrite((0, *page.dataoffsets[1:]))
    file = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(file.array[8:], STACK[0][8:])
    assert not file.array[:8].any()
    assert file.notices == (
        f"a.tif leaves 1 of {n} strips or tiles empty; they are read as missing or zero.",
    )


def test_other_complaints_of_tifffile_are_notices_and_not_printed(tmp_path, caplog, monkeypatch):
    tifffile.imwrite(tmp_path / "a.tif", STACK[0])
    real = tifffile.TiffPageSeries.asarray

    def asarray(self, **options):
        logging.getLogger("tifffile").warning("<tifffile.TiffPage 0 @8> something odd")
        return real(self, **options)

    monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", asarray)
    assert read_image(tmp_path / "a.tif").notices == ("a.tif: the TIFF library reports 'something odd'.",)
    assert caplog.records == []
    logging.getLogger("tifffile").warning("afterwards")
    assert [record.getMessage() for record in caplog.records] == ["afterwards"]
