"""The mixture's own integers: written as they are, or refused before the run; never another type unsaid."""

import numpy as np
import pytest
import tifffile

from napari_bitsnet.api import RunSettings
from napari_bitsnet.api.export.before_run import check_before_run
from napari_bitsnet.api.export.depth import EXACT, as_integers
from napari_bitsnet.api.planes import Planes

HELD = {
    ("imagej", "uint8"),
    ("imagej", "uint16"),
    ("imagej", "int16"),
    *(("ome", name) for name in ("uint8", "uint16", "uint32", "int8", "int16", "int32")),
}
INTEGERS = ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"]


def image(dtype, largest=120):
    least = 0 if dtype.startswith("u") else -largest
    return np.random.default_rng(0).integers(least, largest, (24, 30), endpoint=True).astype(dtype) // 2 * 2


def path_of(folder, kind, name="source_1"):
    return folder / f"a_{name}{'.ome.tif' if kind == 'ome' else '.tif'}"


@pytest.mark.parametrize("kind", ["imagej", "ome"])
@pytest.mark.parametrize("dtype", INTEGERS)
def test_every_type_is_written_as_it_is_or_refused(result_of, tmp_path, dtype, kind):
    mixture = image(dtype)
    if (kind, dtype) not in HELD:
        with pytest.raises(
            ValueError, match=f'for depth="input" with format=.{kind}., got {dtype}: choose'
        ) as error:
            result_of(mixture).save(tmp_path, "a", format=kind, depth="input")
        assert ("choose format='ome'" in str(error.value)) == (("ome", dtype) in HELD)
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(ValueError, match=f"got {dtype}"):  # from the command line, before the run
            check_before_run(RunSettings(), Planes(mixture), tmp_path, kind=kind, depth="input")
        return
    check_before_run(RunSettings(), Planes(mixture), tmp_path, kind=kind, depth="input")
    result_of(mixture).save(tmp_path, "a", format=kind, depth="input")
    stored = tifffile.imread(path_of(tmp_path, kind))
    assert stored.dtype == dtype
    np.testing.assert_array_equal(stored, mixture // 2)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "bool"])
def test_images_that_are_no_integers_stay_float32(result_of, tmp_path, dtype):
    mixture = (np.random.default_rng(0).random((24, 30)) > 0.5).astype(dtype)
    result_of(mixture).save(tmp_path, "a", depth="input", report=True)
    assert tifffile.imread(tmp_path / "a_source_1.tif").dtype == np.float32


@pytest.mark.parametrize("dtype", ["int32", "uint32"])
def test_numbers_that_answers_cannot_be_exact_for_are_refused(result_of, tmp_path, dtype):
    mixture = image(dtype)
    mixture[0, 0] = EXACT
    result_of(mixture).save(tmp_path, "a", format="ome", depth="input")
    mixture[0, 0] = EXACT + 2
    with pytest.raises(ValueError, match=f"Expected values of at most {EXACT} for depth=.*, got {EXACT + 2}"):
        result_of(mixture).save(tmp_path, "b", format="ome", depth="input")


@pytest.mark.parametrize("dtype", sorted({name for _, name in HELD}))
def test_values_beyond_a_type_are_clipped_and_counted(dtype):
    limits = np.iinfo(dtype)
    given = np.array([[-np.inf, np.inf, np.nan, 1.6, -3e38, 3e38]], dtype=np.float32)
    found, lost = as_integers(given, np.dtype(dtype), "YX")
    assert found.tolist() == [[limits.min, limits.max, 0, 2, limits.min, limits.max]]
    assert lost == 4


@pytest.mark.parametrize("kind", ["imagej", "ome"])
@pytest.mark.parametrize("name", ["clean", "clean_2", "clear", "foreground", "background", "explained_1"])
def test_whole_images_keep_the_type_as_sources_do(result_of, tmp_path, name, kind):
    mixture = image("int16")
    maps = {"mask": np.full((24, 30), 0.5, np.float32), "unexplained": mixture / np.float32(3)}
    result = result_of(mixture, outputs={name: mixture.astype(np.float32), **maps})
    result.save(tmp_path, "a", format=kind, depth="input")
    assert tifffile.imread(path_of(tmp_path, kind, name)).dtype == np.int16
    for other in maps:
        assert tifffile.imread(path_of(tmp_path, kind, other)).dtype == np.float32


def test_densities_of_any_integers_are_written(result_of, tmp_path):
    options = {"mixing": "attenuation", "output": "density"}
    mixture = image("uint64") + 1
    result_of(mixture, **options).save(tmp_path, "a", depth="input")
    check_before_run(RunSettings(options=options), Planes(mixture), tmp_path, depth="input")
    assert tifffile.imread(tmp_path / "a_source_1.tif").dtype == np.float32


@pytest.mark.parametrize(
    ("task", "options", "is_whole"),
    [
        ("multi_mixture", {"mixing": "attenuation"}, False),
        ("multi_mixture", {}, True),
        ("separate", {"mixing": "attenuation", "output": "intensity"}, True),
        ("xray", {"mixing": "attenuation"}, False),
    ],
)
def test_the_task_says_whether_its_sources_are_densities(result_of, tmp_path, task, options, is_whole):
    mixture = image("uint16")
    several = task == "multi_mixture"
    given = np.stack([mixture, mixture[::-1]]) if several else mixture
    sources = {"source_1": mixture.astype(np.float32)}
    result_of(given, task=task, outputs=sources, **options).save(tmp_path, "a", depth="input")
    assert (tifffile.imread(tmp_path / "a_source_1.tif").dtype == np.uint16) == is_whole


def test_axes_that_ome_has_not_are_refused_before_the_run(tmp_path):
    planes = Planes(np.zeros((2, 2, 2, 8, 9), np.float32), "PTZYX")
    with pytest.raises(ValueError, match="at most the axes T, C, Z, Y and X for OME-TIFF, got PTZYX"):
        check_before_run(RunSettings(), planes, tmp_path, kind="ome")
    check_before_run(RunSettings(), planes, tmp_path, kind="imagej")
