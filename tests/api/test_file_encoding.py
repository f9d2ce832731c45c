from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from napari_bitsnet.api.file_encoding import follows_files, with_file_encoding
from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.cli.job import Job

AUTO = RunSettings.of("separate", encoding="auto")


@pytest.mark.parametrize("stated", ["srgb", "linear"])
def test_what_all_files_state_stands_in_the_record(stated):
    assert with_file_encoding(AUTO, [stated, stated]).options == {"encoding": stated}
    assert with_file_encoding(RunSettings.of("multi_mixture"), [stated]).options == {"encoding": stated}


@pytest.mark.parametrize("stated", [[], [None], ["other"], ["srgb", "linear"], ["srgb", None]])
def test_without_one_statement_the_task_decides(stated):
    assert with_file_encoding(AUTO, stated) == AUTO


@pytest.mark.parametrize(
    "settings",
    [
        RunSettings.of("separate"),
        RunSettings.of("multi_mixture", encoding="linear"),
        RunSettings.of("inpaint"),
    ],
)
def test_a_choice_and_tasks_without_one_are_left(settings):
    assert not follows_files(settings)
    assert with_file_encoding(settings, ["srgb"]) == settings


def test_files_of_coloured_mixtures_state_their_encoding(tmp_path):
    from skimage.io import imsave

    for name, image in {
        "grey": np.zeros((4, 4), np.uint8),
        "colour": np.eye(4, dtype=np.uint8)[..., None].repeat(3, 2),
    }.items():
        imsave(tmp_path / f"{name}.png", image, check_contrast=False)
        contents = (tmp_path / f"{name}.png").read_bytes()
        chunk = b"sRGB\0"
        stated = struct.pack(">I", 1) + chunk + struct.pack(">I", zlib.crc32(chunk))
        (tmp_path / f"{name}.png").write_bytes(contents[:33] + stated + contents[33:])  # behind the header
    assert Job((tmp_path / "colour.png",)).read().encodings == ("srgb",)
    assert Job((tmp_path / "grey.png",)).read().encodings == ()
