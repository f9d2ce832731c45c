"""A run from the command line: files in, files out, the same numbers as from Python, exit codes."""

import json
import os
import re
import signal
import struct
import subprocess
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image

import napari_bitsnet as nb
from napari_bitsnet.cli.batch import BAD_USAGE, FAILURE, INTERRUPTED, SUCCESS
from napari_bitsnet.tasks import TASKS

TOY = ("--method", "toy", "--quiet")


def sources(folder, stem="scan", n=2):
    return np.stack([tifffile.imread(folder / f"{stem}_source_{k + 1}.tif") for k in range(n)])


def record(folder, stem="scan"):
    return json.loads((folder / f"{stem}_run.json").read_text())


# --- Images in, images out -----------------------------------------------------------------------------


def test_same_numbers_as_from_python(toy, call, scan, tmp_path):
    code, text = call("separate", scan, "-o", tmp_path / "out", *TOY, "--seed", 3, "--preset", "quick")
    assert code == SUCCESS, text
    assert "scan: toy, 5 iterations" in text
    result = nb.separate(tifffile.imread(scan), method="toy", seed=3, preset="quick")
    np.testing.assert_array_equal(sources(tmp_path / "out"), result.sources)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out/scan_residual.tif"), result.residual)
    assert record(tmp_path / "out")["settings"] == result.provenance["settings"]


def test_resolution_goes_through(toy, call, scan, tmp_path):
    call("separate", scan, "-o", tmp_path / "out", *TOY)
    with tifffile.TiffFile(tmp_path / "out/scan_source_1.tif") as tiff:
        tags = tiff.pages.first.tags
        assert [tags.valueof(n) for n in ("XResolution", "YResolution", "ResolutionUnit")] == [
            (600, 1),
            (600, 1),
            2,
        ]


@pytest.mark.parametrize("kind", ["png", "jpg", "uint8", "uint32", "float32", "ome", "imagej"])
def test_every_kind_of_file(toy, call, tmp_path, kind):
    image = np.random.default_rng(1).integers(0, 255, (24, 32), dtype=np.uint8)
    stack = np.stack([image, image[::-1], image[:, ::-1]])
    path = tmp_path / f"a.{kind if kind in ('png', 'jpg') else 'tif'}"
    if kind in ("png", "jpg"):
        Image.fromarray(image).save(path)
    elif kind == "ome":
        tifffile.imwrite(
            path, stack, ome=True, photometric="minisblack", metadata={"axes": "ZYX", "PhysicalSizeX": 2.0}
        )
    elif kind == "imagej":
        tifffile.imwrite(path, stack, imagej=True, metadata={"axes": "TYX"})
    else:
        tifffile.imwrite(path, image.astype(kind))
    code, text = call("separate", path, "-o", tmp_path / "out", *TOY)
    assert code == SUCCESS, text
    found = sources(tmp_path / "out", "a")
    read = np.asarray(Image.open(path)) if kind in ("png", "jpg") else tifffile.imread(path)
    assert found.shape == (2, *read.shape)
    total = found.astype(np.float64).sum(axis=0) + tifffile.imread(tmp_path / "out/a_residual.tif")
    assert np.abs(total - read).max() <= 1e-6 * np.ptp(read.astype(float))


def test_colour_comes_out_as_channels(toy, call, tmp_path):
    image = np.random.default_rng(1).integers(0, 255, (24, 32, 3), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "a.png")
    assert call("separate", tmp_path / "a.png", "-o", tmp_path, *TOY)[0] == SUCCESS
    expected = nb.separate(image, method="toy").sources
    np.testing.assert_array_equal(sources(tmp_path, "a"), np.moveaxis(expected, -1, 2 - 1))


def test_axes_have_to_be_said_where_there_is_doubt(toy, call, tmp_path):
    stack = np.random.default_rng(1).random((5, 24, 32)).astype(np.float32)
    tifffile.imwrite(tmp_path / "a.tif", stack)
    code, text = call("separate", tmp_path / "a.tif", "-o", tmp_path, *TOY)
    assert code == FAILURE
    assert "say what its dimensions are, for example --axes ZYX" in text
    assert call("separate", tmp_path / "a.tif", "-o", tmp_path, *TOY, "--axes", "ZYX")[0] == SUCCESS
    assert sources(tmp_path, "a").shape == (2, 5, 24, 32)
    assert record(tmp_path, "a")["settings"]["axes"] == "ZYX"


def test_hints_and_mask(toy, call, scan, tmp_path):
    labels = np.zeros((24, 32), np.uint8)
    labels[3, :9], labels[9, 4:] = 1, 2
    mask = np.zeros((24, 32, 3), np.uint8)
    mask[:5, :6, 1] = 255
    tifffile.imwrite(tmp_path / "hints.tif", labels.astype(np.float32))
    Image.fromarray(mask).save(tmp_path / "mask.png")
    given = ("--hints", tmp_path / "hints.tif", "--mask", tmp_path / "mask.png")
    assert call("separate", scan, "-o", tmp_path, *given, *TOY)[0] == SUCCESS
    missing = np.isnan(sources(tmp_path))
    np.testing.assert_array_equal(missing, [mask[..., 1] > 0] * 2)
    assert record(tmp_path)["inputs"]["hints"] == str(tmp_path / "hints.tif")


@pytest.mark.parametrize(
    ("hints", "message"),
    [
        (np.full((24, 32), 0.5, np.float32), "Expected hints as whole numbers, got float32 fractions"),
        (np.zeros((24, 32, 3), np.uint8), "Expected hints as one channel of labels"),
        (np.ones((9, 9), np.uint8), "Expected hints of the image's shape (24, 32), got (9, 9)"),
        (np.full((24, 32), 3, np.uint8), "Expected hints as integers, 0 for unknown and 1 to 2"),
    ],
)
def test_bad_hints(toy, call, scan, tmp_path, hints, message):
    tifffile.imwrite(tmp_path / "hints.tif", hints)
    code, text = call("separate", scan, "-o", tmp_path, "--hints", tmp_path / "hints.tif", *TOY)
    assert code == FAILURE
    assert message in text


def test_warnings_are_lines_with_the_ways_out(toy, call, scan, tmp_path):
    code, text = call("separate", scan, "-o", tmp_path, *TOY, "--set", "strength=0")
    assert code == SUCCESS
    line = next(line for line in text.splitlines() if line.startswith("warning: scan: Not separable"))
    assert all(way in line for way in ("a guide", "hints", "a second mixture"))
    assert len(record(tmp_path)["warnings"]) == 1


# --- Batches -------------------------------------------------------------------------------------------


def test_one_bad_file_does_not_stop_the_rest(toy, call, scan, tmp_path):
    whole = scan.read_bytes()
    (tmp_path / "cut.tif").write_bytes(whole[: len(whole) // 2])
    tifffile.imwrite(tmp_path / "flat.tif", np.full((24, 32), 7, np.uint8))
    tifffile.imwrite(tmp_path / "other.tif", tifffile.imread(scan)[::-1])
    names = ("cut.tif", "missing.tif", "flat.tif", "scan.tif", "other.tif")
    code, text = call("separate", *(tmp_path / n for n in names), "-o", tmp_path / "out", *TOY)
    assert code == FAILURE
    assert "error: cut: Expected a whole image file" in text
    assert "error: missing: Expected an image file" in text
    assert "error: flat: Expected an image with contrast" in text
    assert "error: 3 of 5 inputs failed" in text
    assert sorted(p.name for p in (tmp_path / "out").glob("*_run.json")) == [
        "other_run.json",
        "scan_run.json",
    ]


def test_a_fault_in_one_run_does_not_stop_the_rest(toy, call, scan, tmp_path):
    code, text = call("separate", scan, "-o", tmp_path, *TOY, "--set", "fail=true")
    assert code == FAILURE
    assert "RuntimeError: a fault of ours" in text


def test_finished_inputs_are_skipped_unless_told(toy, call, scan, tmp_path):
    arguments = ("separate", scan, "-o", tmp_path, *TOY)
    call(*arguments)
    before = sources(tmp_path)
    code, text = call(*arguments)
    assert code == SUCCESS
    assert "scan: finished before, skipped" in text
    np.testing.assert_array_equal(sources(tmp_path), before)


def test_another_run_is_not_taken_for_this_one(toy, call, scan, tmp_path):
    arguments = ("separate", scan, "-o", tmp_path, *TOY)
    call(*arguments)
    before = sources(tmp_path)
    code, text = call(*arguments, "--seed", 5)
    assert code == FAILURE
    assert "holds another run of that name, with other seed: choose another folder" in text
    (tmp_path / "b").mkdir()
    other = tmp_path / "b/scan.tif"
    tifffile.imwrite(other, tifffile.imread(scan))
    code, text = call("separate", other, "-o", tmp_path, *TOY)
    assert code == FAILURE
    assert "with other input files" in text
    np.testing.assert_array_equal(sources(tmp_path), before)
    call(*arguments, "--seed", 5, "--overwrite")
    assert (sources(tmp_path) != before).any()


def test_changed_files_are_noticed(toy, call, scan, tmp_path):
    arguments = ("separate", scan, "-o", tmp_path / "a", *TOY)
    call(*arguments)
    tifffile.imwrite(scan, tifffile.imread(scan)[::-1].copy())
    code, text = call(*arguments)
    assert code == FAILURE
    assert "with other contents of its input files: choose another folder" in text
    code, text = call("separate", "-o", tmp_path / "b", "--settings", tmp_path / "a/scan_run.json", "-q")
    assert code == SUCCESS
    assert f"warning: {scan} is not what it was in the recorded run" in text


def test_files_of_a_record_belong_to_its_own_image(toy, call, scan, tmp_path):
    marks = tmp_path / "marks.tif"
    tifffile.imwrite(
        marks, np.eye(len(tifffile.imread(scan)), tifffile.imread(scan).shape[1], dtype=np.uint8)
    )
    call("separate", scan, "-o", tmp_path / "a", *TOY, "--hints", marks)
    again = ("--settings", tmp_path / "a/scan_run.json", "-q")
    text = call("separate", scan, "-o", tmp_path / "b", *again)[1]
    assert "warning: the record's hints are left out, because IN is named: give --hints" in text
    assert "left out" not in call("separate", scan, "-o", tmp_path / "c", *again, "--hints", marks)[1]


@pytest.mark.parametrize("used", [False, True])
def test_missing_files_are_named_before_anything_else(toy, call, scan, tmp_path, used):
    out, lost = tmp_path / "out", tmp_path / "nothere.png"
    if used:
        call("separate", scan, "-o", out, *TOY)
    code, text = call("separate", scan, "-o", out, *TOY, "--hints", lost)
    assert code == FAILURE
    assert f"error: scan: Expected an image file, got {lost}, which does not exist: check the path." in text
    assert "holds another run" not in text


def test_a_missing_guide_is_named_before_a_damaged_image(call, scan, tmp_path):
    scan.write_bytes(b"II*\0")
    text = call("xray", scan, "--guide", tmp_path / "nothere.png", "-o", tmp_path / "out", "-q")[1]
    assert "nothere.png, which does not exist" in text
    assert "damaged" not in text


def test_a_recorded_file_that_is_gone_is_missing_not_changed(toy, call, scan, tmp_path):
    call("separate", scan, "-o", tmp_path / "a", *TOY)
    scan.unlink()
    code, text = call("separate", "-o", tmp_path / "b", "--settings", tmp_path / "a/scan_run.json", "-q")
    assert code == FAILURE
    assert "which does not exist" in text
    assert "is not what it was" not in text


def test_names_that_would_collide(toy, call, scan, tmp_path):
    (tmp_path / "b").mkdir()
    tifffile.imwrite(tmp_path / "b/scan.tif", tifffile.imread(scan))
    code, text = call("separate", scan, tmp_path / "b/scan.tif", "-o", tmp_path, *TOY)
    assert code == BAD_USAGE
    assert "Expected inputs of different names, got scan more than once" in text


def test_progress_with_time_left(toy, call, scan, tmp_path):
    text = call("separate", scan, "-o", tmp_path, "--method", "toy")[1]
    assert "scan: 100%" in text
    assert "5/5 [" in text
    assert "it/s]" in text


# --- Repeating -----------------------------------------------------------------------------------------


def test_settings_repeat_a_run_to_the_same_arrays(toy, call, scan, tmp_path):
    first = ("--seed", 7, "--preset", "best", "--set", "strength=0.3", "--iterations", 4, "--low", 100)
    call("separate", scan, "-o", tmp_path / "a", *TOY, *first)
    again = ("--settings", tmp_path / "a/scan_run.json", "-q")
    assert call("separate", scan, "-o", tmp_path / "b", *again)[0] == SUCCESS
    assert call("separate", "-o", tmp_path / "c", *again)[0] == SUCCESS
    assert call("separate", scan, "-o", tmp_path / "d", *again, "--seed", 8)[0] == SUCCESS
    expected = sources(tmp_path / "a")
    np.testing.assert_array_equal(sources(tmp_path / "b"), expected)
    np.testing.assert_array_equal(sources(tmp_path / "c"), expected)
    assert (sources(tmp_path / "d") != expected).any()
    assert record(tmp_path / "d")["settings"] == record(tmp_path / "a")["settings"] | {"seed": 8}


def test_a_run_that_was_stopped_is_repeated_up_to_there(toy, call, scan, tmp_path):
    code, _ = call("separate", scan, "-o", tmp_path / "a", *TOY, "--set", "interrupt_at=3")
    assert code == INTERRUPTED
    call(
        "separate",
        "-o",
        tmp_path / "b",
        "--settings",
        tmp_path / "a/scan_run.json",
        "--set",
        "interrupt_at=0",
        "-q",
    )
    np.testing.assert_array_equal(sources(tmp_path / "b"), sources(tmp_path / "a"))


def test_another_method_does_not_inherit_settings(toy, call, scan, tmp_path):
    call("separate", scan, "-o", tmp_path / "a", *TOY, "--set", "strength=0.3")
    again = (
        "--settings",
        tmp_path / "a/scan_run.json",
        "--method",
        "auto",
        "--iterations",
        1,
        "--preset",
        "quick",
    )
    assert call("separate", scan, "-o", tmp_path / "b", "-q", *again)[0] == SUCCESS
    assert record(tmp_path / "b")["settings"]["settings"] == {}


# --- Ctrl-C --------------------------------------------------------------------------------------------


def test_ctrl_c_keeps_what_there_is_and_ends_the_batch(toy, call, scan, tmp_path):
    tifffile.imwrite(tmp_path / "next.tif", tifffile.imread(scan))
    arguments = ("separate", scan, tmp_path / "next.tif", "-o", tmp_path / "out", *TOY)
    code, text = call(*arguments, "--set", "interrupt_at=2")
    assert code == INTERRUPTED
    assert "Stopping: what there is will be written" in text
    assert "scan: toy, stopped after 2 iterations" in text
    stopped = record(tmp_path / "out")
    assert (stopped["complete"], stopped["iterations"], stopped["stop_reason"]) == (False, 2, "stopped")
    assert not (tmp_path / "out/next_run.json").exists()
    expected = nb.separate(tifffile.imread(scan), method="toy", iterations=2)
    np.testing.assert_array_equal(sources(tmp_path / "out"), expected.sources)
    assert call(*arguments)[0] == SUCCESS  # the stopped one is done again
    assert record(tmp_path / "out")["complete"]


def test_ctrl_c_ends_a_stack_of_short_runs(toy, call, tmp_path):
    stack = np.random.default_rng(0).random((4, 24, 32)).astype(np.float32)
    tifffile.imwrite(tmp_path / "scan.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    arguments = ("separate", tmp_path / "scan.tif", "-o", tmp_path, *TOY, "--iterations", 1)
    assert call(*arguments, "--set", "interrupt_at=1")[0] == INTERRUPTED
    assert np.isnan(sources(tmp_path)).all(axis=(0, 2, 3)).tolist() == [False, True, True, True]
    assert not record(tmp_path)["complete"]


def test_ctrl_c_is_handed_back(toy, call, scan, tmp_path):
    before = signal.getsignal(signal.SIGINT)
    call("separate", scan, "-o", tmp_path, *TOY)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM", "closed terminal"])
def test_a_signal_keeps_what_there_is(scan, tmp_path, how):
    import fcntl
    import pty
    import termios

    command = [sys.executable, "-m", "napari_bitsnet", "separate", scan, "-o", tmp_path / "out"]
    command += ["--method", "bitsnet", "--set", "start=none", "--iterations", "100000", "--device", "cpu"]
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))  # the progress bar needs room

    def in_terminal():
        os.setsid()
        fcntl.ioctl(its, termios.TIOCSCTTY, 0)

    run = subprocess.Popen(
        list(map(str, command)), stdin=its, stdout=its, stderr=its, close_fds=False, preexec_fn=in_terminal
    )
    os.close(its)
    try:
        said = b""
        while re.search(rb"[1-9]\d*/100000", said) is None and run.poll() is None:
            said += os.read(ours, 1000)
        if how == "closed terminal":
            os.close(ours)  # the kernel sends SIGHUP, and every further line to the terminal is an error
        else:
            run.send_signal(getattr(signal, how))
            said += _rest(ours)
        run.wait(timeout=300)
    finally:
        run.kill()
    assert run.returncode == {"SIGINT": 130, "SIGTERM": 143, "closed terminal": 129}[how], said
    stopped = record(tmp_path / "out")
    assert stopped["stop_reason"] == "stopped"
    assert 0 < stopped["iterations"] < 100000
    assert sources(tmp_path / "out").shape == (2, 24, 32)
    assert b"Traceback" not in said


def _rest(terminal):
    """All that is still said; a terminal that its last process left answers with an error."""
    said = b""
    try:
        while more := os.read(terminal, 1000):
            said += more
    except OSError:
        pass
    os.close(terminal)
    return said


# --- Bad usage -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "no"], "Unknown preset 'no' of toy. Known: quick, balanced, best"),
        (["--method", "no"], "Unknown method 'no'. Known:"),
        (["--set", "strength"], "Expected name=value, got 'strength'"),
        (["--set", "strength=9"], "strength: Input should be less than or equal to 1"),
        (["--set", "no=9"], "Unknown setting 'no'. Known: fail, interrupt_at, strength"),
        (["--set", "n_sources=3"], "'n_sources' is an option of the task separate"),
        (["--n-sources", "9"], "n_sources: Input should be less than or equal to 4"),
        (["--n-sources", "3"], "Toy cannot solve this: it takes two sources."),
        (["--device", "abacus"], "Expected a device of this machine"),
        (["--seconds", "soon"], "seconds: Input should be a valid number"),
        (["--settings", "no.json"], "Expected the record of a run, got no.json"),
        (["--no-such-option"], "No such option"),
        (["--alpha-exclusion", "1"], "it is a setting of the method bitsnet, --set alpha_exclusion=…"),
        (["--verbose"], "it stands before the command: napari-bitsnet --verbose COMMAND"),
        (["--tile", "2048"], "tasks with guides work in tiles"),
    ],
)
def test_bad_usage(toy, call, scan, tmp_path, arguments, message):
    code, text = call("separate", scan, "-o", tmp_path / "out", *TOY, *arguments)
    assert code == BAD_USAGE
    assert message in text
    assert not list(tmp_path.glob("out/*"))


def test_no_input(toy, call, tmp_path):
    code, text = call("separate", "-o", tmp_path, *TOY)
    assert code == BAD_USAGE
    assert "Expected at least one input file, got none" in text


def test_no_folder(toy, call, scan):
    code, text = call("separate", scan, *TOY)
    assert code == BAD_USAGE
    assert "--out" in text


def test_unwritable_folder_is_found_before_any_work(toy, call, scan):
    code, text = call("separate", scan, "-o", scan / "out", *TOY, "--set", "fail=true")
    assert code == BAD_USAGE
    assert "Expected a folder that can be written to" in text
    assert "a fault of ours" not in text


def test_record_of_another_task(toy, call, scan, tmp_path):
    call("separate", scan, "-o", tmp_path, *TOY)
    path = tmp_path / "scan_run.json"
    content = json.loads(path.read_text())
    content["settings"]["task"] = "xray"
    path.write_text(json.dumps(content))
    code, text = call("separate", scan, "-o", tmp_path, "--settings", path)
    assert code == BAD_USAGE
    assert "Expected the record of a separate run, got one of xray" in text


# --- What there is -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(TASKS))
def test_every_task_has_a_command_with_its_options(call, name):
    code, text = call(name.replace("_", "-"), "--help")
    assert code == SUCCESS
    text = text.replace("[IN]...", "IN")  # the usage line of typer before 0.29 has no brackets
    entry = TASKS.get(name)
    for field in entry.Config.model_fields:
        assert f"--{field.replace('_', '-')}" in text
    for asked in entry.inputs:
        option = {"mixture": "[OPTIONS] IN", "guides": "--guide"}.get(asked.name, f"--{asked.name}")
        assert option in text


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom napari_bitsnet.cli import main\n"
        "for arguments in (['--help'], ['separate', '--help'], ['list'], ['list', 'bitsnet']):\n"
        "    sys.argv = ['napari-bitsnet', *arguments]\n"
        "    try:\n        main()\n    except SystemExit as end:\n        assert not end.code, end.code\n"
        "heavy = [n for n in ('torch', 'napari', 'qtpy', 'skimage', 'sklearn', 'scipy') if n in "
        "sys.modules]\nassert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_version(call):
    assert call("--version") == (SUCCESS, f"{nb.__version__}\n")


def test_list(toy, call):
    text = call("list")[1]
    for name in TASKS:
        assert name.replace("_", "-") in text
        assert TASKS.get(name).summary in text
    assert "presets: quick, balanced, best" in text
    (line,) = (line for line in text.splitlines() if "feedforward" in line and "methods:" in line)
    own = "with weights of your own"
    names = ("bitsnet", "double_dip", "feedforward", "periodic", f"sils ({own})", "sparse_gradients")
    assert {*names, f"ytmt ({own})"} <= set(line.partition("methods: ")[2].split(", "))
    assert "with weights" not in text.partition("through glass")[2].partition("segment")[0]


def test_list_settings_of_a_method(toy, call):
    text = call("list", "toy", "--preset", "quick")[1]
    assert "strength" in text
    assert "Amplitude of the noise. (0 to 1; default 0.6)" in text
    code, text = call("list", "no")
    assert code == BAD_USAGE
    assert "Unknown method 'no'" in text
    code, text = call("list", "toy", "--preset", "no")
    assert code == BAD_USAGE
    assert "Unknown preset 'no'. Known: quick, balanced, best" in text


def test_feature_maps_are_written_when_asked_for(call, scan, tmp_path):
    arguments = ["--method", "bitsnet", "--preset", "quick", "--set", "start=none", "--set", "features=true"]
    code, _ = call("separate", scan, "-o", tmp_path / "out", *arguments, "--iterations", 2)
    assert code == SUCCESS
    maps = tifffile.imread(tmp_path / "out/scan_features_1.tif")
    assert maps.ndim == 3
    assert maps.shape[1:] == tifffile.imread(tmp_path / "out/scan_source_1.tif").shape


def test_other_splits_are_written_beside_the_answer(call, tmp_path):
    image = np.random.default_rng(0).random((40, 48)).astype(np.float32)
    tifffile.imwrite(tmp_path / "two.tif", image)
    out = tmp_path / "out"
    quick = ("--method", "feedforward", "--set", "views=1", "--set", "looks=1")
    command = ("separate", tmp_path / "two.tif", "-o", out, *quick)
    code, text = call(*command, "--candidates")
    assert code == SUCCESS, text
    answer = tifffile.imread(out / "two_source_1.tif")
    for number in (1, 2, 3):
        sources = [tifffile.imread(out / f"two_candidate_{number}_source_{k}.tif") for k in (1, 2)]
        np.testing.assert_allclose(sum(sources), image, atol=1e-5)
        assert not np.allclose(sources[0], answer, atol=1e-3)
    assert (out / "two_candidate_3_preview.png").is_file()
    assert "skipped" in call(*command)[1]
    again = call("separate", "--settings", out / "two_candidate_2_run.json", "-o", tmp_path / "again")[1]
    assert "the record is of candidate 2" in again


def test_a_method_that_knows_one_answer_says_so(toy, call, scan, tmp_path):
    code, text = call("separate", scan, "-o", tmp_path / "out", *TOY, "--candidates")
    assert code == SUCCESS
    assert "no other splits" in text


# --- Scores against known sources ----------------------------------------------------------------------


def test_truths_bring_scores_into_the_report(toy, call, scan, tmp_path):
    mixture = tifffile.imread(scan)
    truths = np.stack([0.3 * mixture, 0.7 * mixture]).astype(np.float32)
    for k, truth in enumerate(truths):
        tifffile.imwrite(tmp_path / f"truth_{k}.tif", truth)
    known = [part for k in range(2) for part in ("--truth", tmp_path / f"truth_{k}.tif")]
    code, text = call("separate", scan, "-o", tmp_path / "out", *TOY, "--report", *known)
    assert code == SUCCESS, text
    expected = nb.metrics.score(sources(tmp_path / "out"), truths, mixture)
    page = (tmp_path / "out/scan_report.html").read_text(encoding="utf-8")
    assert f"<td>{expected['mean_psnr']:.2f}</td>" in page
    assert set(record(tmp_path / "out")["inputs"]["contents"]) == {str(scan)}  # they are no inputs


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--truth", "a.tif", "--truth", "b.tif"], "Expected --report with --truth, got none"),
        (["--report", "--truth", "a.tif"], "Expected --truth 2 times, once for each source, got 1"),
        (
            ["other.tif", "--report", "--truth", "a.tif", "--truth", "b.tif"],
            "Expected one input with --truth, got 2",
        ),
    ],
)
def test_truths_that_do_not_fit_are_said_before_the_run(toy, call, scan, tmp_path, arguments, message):
    code, text = call("separate", scan, *arguments, "-o", tmp_path / "out", *TOY)
    assert code == BAD_USAGE
    assert message in text


def test_tasks_without_sources_take_no_truths(call, scan, tmp_path):
    code, text = call("denoise", scan, "-o", tmp_path / "out", "--report", "--truth", "a.tif")
    assert code == BAD_USAGE
    assert "No such option: --truth" in text
