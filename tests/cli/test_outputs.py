"""Outputs of commands: no input and no foreign file is replaced, and all that saving needs is said before the
run."""

import json
import os
import shutil
import signal
import sys
from collections import namedtuple

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_bitsnet.cli import main
from napari_bitsnet.cli.batch import BAD_USAGE, FAILURE, SUCCESS
from tests.files_there import APART, FOREIGN, READ, contents, record

TOY = ("--method", "toy", "--quiet", "--set", "fail=true")  # a fault, if the run is ever begun
RNG = np.random.default_rng(0)


@pytest.fixture
def folder(tmp_path):
    """Images under names that outputs of one another have."""
    for name in (
        "a.tif",
        "a_source_1.tif",
        "a_source_2.tif",
        "a_residual.tif",
        "a_candidate_1.tif",
        "other.tif",
    ):
        tifffile.imwrite(tmp_path / name, RNG.integers(0, 255, (24, 32), dtype=np.uint8))
    return tmp_path


@pytest.mark.parametrize(
    ("command", "options", "message"),
    [
        ("separate a.tif", "--report --truth a_source_1.tif --truth other.tif", READ),
        ("separate a.tif a_source_1.tif", "", READ),
        ("separate a_source_1.tif a.tif", "", READ),
        ("separate a.tif", "--hints a_residual.tif", READ),
        ("separate a.tif", "--mask a_source_2.tif", READ),
        ("separate a.tif", "--mixing attenuation --flat a_source_1.tif", READ),
        ("separate a.tif", "--mixing attenuation --dark a_source_1.tif", READ),
        ("separate a.tif", "", FOREIGN),
        ("separate a.tif other.tif", "--overwrite", FOREIGN),
        ("separate a.tif a_candidate_1.tif", "--candidates", "Expected inputs of different names"),
    ],
)
def test_separate(toy, call, folder, monkeypatch, command, options, message):
    monkeypatch.chdir(folder)
    before = contents(folder)
    code, text = call(*command.split(), *options.split(), "-o", ".", *TOY)
    assert (code, message in text) == (BAD_USAGE, True), text
    assert contents(folder) == before
    code, text = call(*command.split(), *options.split(), "-o", "new", *TOY)
    assert message not in text or "different names" in message


def test_a_guide_is_not_replaced(call, folder, monkeypatch):
    monkeypatch.chdir(folder)
    before = contents(folder)
    for guide in ("a_source_1.tif", folder / "sub" / ".." / "a_source_1.tif"):
        code, text = call("xray", "a.tif", "--guide", guide, "-o", ".", "-q")
        assert (code, READ in text) == (BAD_USAGE, True), text
    assert contents(folder) == before


def test_weights_are_not_replaced(call, folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "b").mkdir()
    shutil.copy("a.tif", "b/w.tif")
    record(folder / "b", "w_run.json", "w_source_1.tif")
    (folder / "b/w_source_1.tif").write_bytes(b"weights")
    options = ("--method", "feedforward", "--set", "weights=b/w_source_1.tif")
    code, text = call("separate", "b/w.tif", "-o", "b", "-q", *options)
    assert (code, READ in text) == (BAD_USAGE, True), text
    assert (folder / "b/w_source_1.tif").read_bytes() == b"weights"


def test_outputs_named_by_other_inputs_are_seen_to(call, tmp_path):
    """Those of `watermark` are named by each of its images."""
    for name in ("cat.png", "dog.png"):
        Image.fromarray(RNG.integers(0, 255, (48, 48, 3), dtype=np.uint8)).save(tmp_path / name)
    (tmp_path / "dog_clean.tif").write_bytes(b"mine")
    code, text = call("watermark", tmp_path / "cat.png", tmp_path / "dog.png", "-o", tmp_path, "-q")
    assert (code, FOREIGN in text) == (BAD_USAGE, True), text
    assert (tmp_path / "dog_clean.tif").read_bytes() == b"mine"


@pytest.fixture
def pair(tmp_path):
    Image.fromarray(RNG.integers(0, 255, (48, 48, 3), dtype=np.uint8)).save(tmp_path / "front.png")
    tifffile.imwrite(tmp_path / "fx.tif", RNG.integers(0, 255, (48, 48), dtype=np.uint8))
    (tmp_path / "points.json").write_text("5 5 5 5\n")
    return tmp_path


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("fx.tif", READ),
        ("FX/../fx.tif", READ),
        ("points.tif", READ),  # its record would be points.json
        ("mine.tif", FOREIGN),  # mine.json is there
        ("other.tif", FOREIGN),
        ("r.png", "Expected a file that ends in .tif or .tiff after --out, got r.png"),
        ("r", "Expected a file that ends in .tif or .tiff"),
        ("r.ome.tif", "Expected a file that ends in .tif or .tiff"),
        ("fx.tif/r.tif", "Expected a folder that can be written to"),
    ],
)
def test_register(call, pair, out, message):
    (pair / "FX").mkdir()
    (pair / "mine.json").write_text('{"my": "data"}')
    (pair / "other.tif").write_bytes(b"mine")
    before = contents(pair)
    command = ("register", pair / "front.png", pair / "fx.tif", "--points", pair / "points.json")
    code, text = call(*command, "-o", pair / out)
    assert (code, message in text) == (BAD_USAGE, True), text
    assert contents(pair) == before


def test_register_replaces_what_it_wrote(call, pair):
    command = ("register", pair / "front.png", pair / "fx.tif", "--points", pair / "points.json")
    for _ in range(2):
        code, text = call(*command, "-o", pair / "new" / "r.TIFF")
        assert code == SUCCESS, text
    found = json.loads((pair / "new/r.json").read_text(), parse_constant=pytest.fail)
    assert found["files"] == {"registered": "r.TIFF"}


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("ck.tif", "Expected a file that ends in .json after --out, got ck.tif"),
        ("fx.tif", "Expected a file that ends in .json"),
        ("mine.json", FOREIGN),
        ("mask.json", READ),
    ],
)
def test_check(call, pair, out, message):
    (pair / "mine.json").write_text("{}")
    tifffile.imwrite(pair / "mask.json", np.zeros((48, 48), np.uint8))  # whatever it is called
    before = contents(pair)
    command = ("check", pair / "fx.tif", "--guide", pair / "front.png", "--mask", pair / "mask.json")
    code, text = call(*command, "-o", pair / out)
    assert (code, message in text) == (BAD_USAGE, True), text
    assert contents(pair) == before


def test_check_replaces_what_it_wrote(call, pair):
    for _ in range(2):
        code, text = call("check", pair / "fx.tif", "--guide", pair / "front.png", "-o", pair / "ck.json")
        assert code != BAD_USAGE, text
    assert json.loads((pair / "ck.json").read_text(), parse_constant=pytest.fail)["complete"] is True


@pytest.mark.parametrize(
    "name", ["demo.png", "scores.md", "panel_mixture.tif", "blind_source_1.tif", "demo_run.json"]
)
@pytest.mark.parametrize("gui", [[], ["--gui"]])
def test_demo(call, tmp_path, name, gui):
    (tmp_path / name).write_bytes(b"mine")
    code, text = call("demo", "-o", tmp_path, "--size", 64, "-q", *gui)
    assert (code, FOREIGN in text) == (BAD_USAGE, True), text
    assert contents(tmp_path) == {name: b"mine"}


@pytest.mark.parametrize(
    ("out", "there", "message"),
    [
        ("w.pt", None, "Expected a file for the weights that ends in .safetensors, got 'w.pt'"),
        ("w.safetensors", "w.safetensors", FOREIGN),
        ("w.safetensors", "w/losses.csv", FOREIGN),
        ("w.safetensors", "w/held_out.png", FOREIGN),
        ("w.safetensors", "w/checkpoint.safetensors", FOREIGN),
        ("photos/w.safetensors", None, APART),
        ("photos/sub/w.safetensors", None, APART),
    ],
)
def test_train(call, tmp_path, out, there, message):
    (tmp_path / "photos").mkdir()
    for k in range(2):
        tifffile.imwrite(tmp_path / "photos" / f"{k}.tif", RNG.integers(0, 255, (80, 80, 3)).astype(np.uint8))
    if there is not None:
        (tmp_path / there).parent.mkdir(exist_ok=True)
        (tmp_path / there).write_bytes(b"mine")
    code, text = call("train", "feedforward", tmp_path / "photos", "-o", tmp_path / out, "-q")
    assert (code, message in text) == (BAD_USAGE, True), text
    assert there is None or (tmp_path / there).read_bytes() == b"mine"
    assert (tmp_path / "w").exists() == (there or "").startswith("w/")  # no empty folder is left


# --- What saving needs ---------------------------------------------------------------------------------


@pytest.fixture
def slices(tmp_path, monkeypatch):
    """A folder of two slices, which is where the command is called."""
    folder = tmp_path / "my"
    folder.mkdir()
    for k in range(2):
        tifffile.imwrite(folder / f"s{k}.tif", RNG.integers(0, 255, (24, 32), dtype=np.uint8))
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("given", [".", "../my", "*.tif", "./s*.tif"])
def test_outputs_in_a_subfolder_of_the_slices(toy, call, slices, given):
    command = ("separate", given, "-o", "out", "--axes", "ZYX", *TOY[:3])
    code, text = call(*command)
    assert code == SUCCESS, text
    assert tifffile.imread(slices / "out/my_source_1.tif").shape == (2, 24, 32)
    code, text = call(*command)
    assert (code, "my: finished before, skipped" in text) == (SUCCESS, True), text
    code, text = call(*command, "--overwrite")
    assert code == SUCCESS, text
    assert tifffile.imread(slices / "out/my_source_1.tif").shape == (2, 24, 32)


@pytest.mark.parametrize("given", [".", "*.tif"])
def test_outputs_among_the_slices(toy, call, slices, given):
    before = contents(slices)
    code, text = call("separate", given, "-o", ".", "--axes", "ZYX", *TOY)
    assert (code, APART in text) == (BAD_USAGE, True), text
    assert contents(slices) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("separate", "s0.tif", "s0.tif"),
        ("separate", "none.tif"),
        ("separate", "none*.tif"),
        ("separate", "s0.tif", "--hints", "s1.tif"),
        ("separate", "s0.tif", "--set", "fail=true"),
        ("batch", "none.csv"),
        ("batch", "t.csv"),
        ("demo", "--device", "abacus"),
        ("register", "s0.tif", "none.tif"),
        ("check", "none.tif", "--guide", "s0.tif"),
        ("convert-weights", "none.pt", "--vgg", "none.pth"),
    ],
)
@pytest.mark.parametrize("there", [False, True])
def test_no_empty_folder_is_left(toy, call, slices, arguments, there):
    (slices / "t.csv").write_text("image\ns0.tif\ns0.tif\n")
    endings = {"register": "r.tif", "check": "c.json", "convert-weights": "w.safetensors"}
    if there:
        (slices / "a").mkdir()
    toys = TOY[:3] if arguments[0] == "separate" else ()
    code, text = call(*arguments, "-o", f"a/b/{endings.get(arguments[0], '')}", *toys)
    assert code in (BAD_USAGE, FAILURE), text
    assert (slices / "a").exists() == there
    assert not (slices / "a/b").exists()


def test_a_folder_that_is_a_file(toy, call, slices):
    code, text = call("separate", "s0.tif", "-o", "s1.tif", *TOY)
    assert (code, f"got {slices / 's1.tif'} (it is a file): choose another" in text) == (BAD_USAGE, True)
    code, text = call("separate", "s0.tif", "-o", "s1.tif/a", *TOY)
    assert (code, f"a ({slices / 's1.tif'} is a file): choose another" in text) == (BAD_USAGE, True)


@pytest.mark.parametrize("given", ["no*.tif", "../my/no*.tif", "no*/s0.tif"])
def test_a_pattern_without_a_match(toy, call, slices, given):
    code, text = call("separate", given, "-o", "out", *TOY)
    assert code == FAILURE
    assert "error: my: Expected files that a pattern matches, got" in text
    assert f"no file matches {given.split('/')[-1]} there" in text


def test_long_names_are_said_before_the_run(toy, call, folder):
    path = folder / f"{'n' * 245}.tif"
    (folder / "other.tif").rename(path)
    code, text = call("separate", path, "-o", folder / "out", *TOY)
    assert code == BAD_USAGE
    assert "Expected outputs whose names" in text
    assert "give the input a shorter" in text


@pytest.mark.parametrize("depth", ["int32", "uint32", "int8"])
def test_integers_that_files_do_not_hold_are_said_before_the_run(toy, call, tmp_path, depth):
    tifffile.imwrite(tmp_path / "a.tif", RNG.integers(0, 100, (24, 32)).astype(depth))
    code, text = call("separate", tmp_path / "a.tif", "-o", tmp_path / "out", *TOY, "--depth", "input")
    assert code == FAILURE
    assert (
        f"for --depth input with --format imagej, got {depth}: choose --format ome or --depth float" in text
    )
    assert "a fault of ours" not in text


def test_signed_integers_are_written_as_they_are(toy, call, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", RNG.integers(-3000, 3000, (24, 32)).astype(np.int16))
    code, text = call("separate", tmp_path / "a.tif", "-o", tmp_path, *TOY[:3], "--depth", "input")
    assert code == SUCCESS, text
    assert tifffile.imread(tmp_path / "a_source_1.tif").dtype == np.int16


def test_a_full_disk_is_said_before_the_run(toy, call, folder, monkeypatch):
    usage = namedtuple("usage", "total used free")(10**9, 10**9 - 1000, 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    code, text = call("separate", folder / "other.tif", "-o", folder / "out", *TOY)
    assert code == FAILURE
    assert "got 1 kB: make 5.14 kB free, or choose another folder" in text
    assert "a fault of ours" not in text


@pytest.mark.parametrize("size", [np.nan, np.inf, 0.0, -1.0])
def test_a_pixel_size_that_is_none_costs_a_notice(toy, call, tmp_path, monkeypatch, size):
    from napari_bitsnet.io.calibration import Calibration

    tifffile.imwrite(tmp_path / "a.tif", RNG.integers(0, 255, (24, 32), dtype=np.uint8))
    monkeypatch.setattr(
        "napari_bitsnet.cli.job.Job.read", _with_calibration(Calibration((size, 4.0), "micron"))
    )
    code, text = call("separate", tmp_path / "a.tif", "-o", tmp_path / "out", *TOY[:3])
    assert code == SUCCESS, text
    assert "warning: a: Expected a pixel size that is a finite number above 0" in text
    assert (tmp_path / "out/a_source_1.tif").exists()


def _with_calibration(calibration):
    from dataclasses import replace

    from napari_bitsnet.cli.job import Job

    read = Job.read
    return lambda job, *rest: replace(read(job, *rest), calibration=calibration)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="names are bytes on Linux")
def test_names_that_are_no_utf_8(toy, folder, monkeypatch, capfd):
    path = folder / os.fsdecode(b"caf\xe9.tif")
    (folder / "other.tif").rename(path)
    arguments = ["separate", path, "-o", folder / "out", *TOY[:3], "--report"]
    monkeypatch.setattr(sys, "argv", ["napari-bitsnet", *map(str, arguments)])
    monkeypatch.setattr("napari_bitsnet.core.device.keep_freed_memory", lambda: None)  # for the whole process
    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(SystemExit) as end:
            main()
    finally:
        signal.signal(signal.SIGINT, before)
    assert end.value.code == SUCCESS
    assert "caf\\udce9: toy, 5 iterations" in capfd.readouterr().out
    assert (folder / "out" / os.fsdecode(b"caf\xe9_report.html")).exists()


def test_inputs_are_as_they_were(toy, call, folder):
    before = contents(folder)
    code, text = call(
        *("separate", folder / "a.tif", folder / "other.tif", "-o", folder / "out", *TOY[:3], "--report"),
        *("--mask", folder / "a_residual.tif", "--depth", "input"),
    )
    assert code in (SUCCESS, FAILURE), text  # of random masks, too much may be left out
    assert contents(folder) == before
