"""Missing pixels of a file make floats of its integers; white stays that of the integers."""

from __future__ import annotations

import numpy as np
import tifffile

import napari_bitsnet as nb
from napari_bitsnet.io.read import read_image

HOLE = np.zeros((32, 32), bool)
HOLE[3:5, 20:24] = True
COLOURS = np.random.default_rng(0).integers(20, 200, (32, 32, 3)).astype(np.uint8)


def test_the_command_line_knows_the_type_of_the_file(tmp_path, call):
    image = COLOURS.copy()
    image[HOLE] = 0
    path = tmp_path / "haze.tif"
    tifffile.imwrite(path, image, photometric="rgb", extratags=[(42113, "s", 0, "0", True)])
    file = read_image(path)
    assert file.array.dtype == np.float32
    assert file.stored == np.uint8
    code, text = call("dehaze", path, "-o", tmp_path / "out")
    assert code == 0, text
    found = read_image(tmp_path / "out" / "haze_clear.tif").array
    mask = np.where(HOLE, 1, 0)
    expected = nb.run("dehaze", COLOURS, mask=mask).outputs["clear"]
    np.testing.assert_allclose(
        np.moveaxis(found, 0, -1) if found.shape[0] == 3 else found, expected, atol=1e-3
    )
