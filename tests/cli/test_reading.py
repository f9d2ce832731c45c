"""Where a file does not name its dimensions, a note says how it was read; elsewhere there is none."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_bitsnet.cli.batch import SUCCESS
from napari_bitsnet.cli.job import Job
from napari_bitsnet.cli.reading import reading_in_words

RNG = np.random.default_rng(0)


def pages(path, stack):
    """A TIFF whose pages nothing describes."""
    with tifffile.TiffWriter(path) as tiff:
        for page in stack:
            tiff.write(page, metadata=None)


WRITERS = {
    "array.npy": np.save,
    "shaped.tif": lambda path, array: tifffile.imwrite(path, array, photometric="minisblack"),
    "pages.tif": pages,
}


def note(path, task, axes=None):
    several = task == "multi_mixture"
    images = Job((path,), several=several).read(axes)
    return reading_in_words(images, task, axes or images.axes)


@pytest.mark.parametrize(
    ("kind", "shape", "task", "read"),
    [
        ("array.npy", (12, 16, 3), "separate", "one image in colour."),
        ("array.npy", (12, 16, 4), "denoise", "one image in colour with opacity."),
        ("shaped.tif", (12, 16, 3), "xray", "one image in colour."),
        ("array.npy", (5, 12, 16), "multi_mixture", "5 mixtures."),
        ("array.npy", (2, 12, 16, 3), "multi_mixture", "2 mixtures in colour."),
        ("shaped.tif", (5, 12, 16), "multi_mixture", "5 mixtures."),
        ("pages.tif", (5, 12, 16), "multi_mixture", "5 mixtures."),
        ("pages.tif", (5, 12, 16), "separate", "5 slices, each one image."),
        ("pages.tif", (2, 12, 16, 3), "separate", "2 slices, each one image in colour."),
    ],
)
def test_how_a_file_without_names_was_read_is_told(tmp_path, kind, shape, task, read):
    path = tmp_path / kind
    WRITERS[kind](path, RNG.random(shape, dtype=np.float32))
    (told,) = note(path, task)
    assert f"shape {shape} is read as {read}" in told
    assert told.endswith('name them, for example axes="ZYX".')
    declared = {3: "AYX", 4: "AYXC"}[len(shape)] if shape[-1] == 16 or len(shape) == 4 else "YXC"
    assert note(path, task, declared.replace("A", "M" if task == "multi_mixture" else "Z")) == ()


def test_files_that_name_their_dimensions_get_no_note(tmp_path):
    grey, stack = RNG.random((12, 16), dtype=np.float32), RNG.random((5, 12, 16), dtype=np.float32)
    np.save(tmp_path / "grey.npy", grey)
    tifffile.imwrite(tmp_path / "grey.tif", grey)
    tifffile.imwrite(tmp_path / "rgb.tif", np.zeros((12, 16, 3), np.uint8), photometric="rgb")
    tifffile.imwrite(tmp_path / "z.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    tifffile.imwrite(tmp_path / "t.ome.tif", stack, metadata={"axes": "TYX"})
    for path in sorted(tmp_path.iterdir()):
        assert note(path, "separate") == (), path
    both = Job((tmp_path / "grey.npy", tmp_path / "grey.tif"), several=True).read()
    assert reading_in_words(both, "multi_mixture", both.axes) == ()


def test_commands_print_the_note_once(toy, call, tmp_path):
    np.save(tmp_path / "last.npy", RNG.random((24, 32, 3), dtype=np.float32))
    run = ("separate", tmp_path / "last.npy", "-o", tmp_path / "out", "--method", "toy", "-q")
    code, said = call(*run)
    assert code == SUCCESS, said
    assert said.count("note: last: the file does not name its dimensions") == 1
    assert "name them, for example --axes ZYX." in said
    code, said = call(*run, "--axes", "YXC", "--overwrite")
    assert code == SUCCESS, said
    assert "note: " not in said
    guide = tmp_path / "guide.npy"
    np.save(guide, RNG.random((24, 32), dtype=np.float32))
    for command in ("check", "spike-in"):
        said = call(command, tmp_path / "last.npy", "--guide", guide)[1]
        assert said.count("shape (24, 32, 3) is read as one image in colour") == 1, said
