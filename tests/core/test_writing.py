"""Files take their places together or not at all; what killed runs left goes, and only that."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from napari_bitsnet.api.export.folders import check_writable
from napari_bitsnet.core import writing
from napari_bitsnet.core.writing import LONGEST, atomically, remove_leftovers, temporary_path, together


def test_several_files_take_their_places_in_order(tmp_path):
    (tmp_path / "a").write_text("old")
    with together(tmp_path) as files:
        for name, text in (("a", "first"), ("b", "new"), ("a", "last")):
            files.part(name).write_text(text)
        assert (tmp_path / "a").read_text() == "old"
        assert files.written() == len("firstnewlast")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "last", "b": "new"}


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, SystemExit])
def test_none_takes_its_place_if_one_fails(tmp_path, error):
    (tmp_path / "a").write_text("old")

    def write():
        with together(tmp_path) as files:
            files.part("a").write_text("new")
            files.part("b").write_text("half")
            raise error

    with pytest.raises(error):
        write()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "old"}


def test_temporary_names_fit_wherever_the_final_name_does(tmp_path):
    with atomically(tmp_path / ("n" * 251 + ".tif")) as path:
        path.touch()
        assert len(path.name) < 80
    assert [path.name for path in tmp_path.iterdir()] == ["n" * 251 + ".tif"]


LEAVE = (
    "import os, sys; from pathlib import Path; from napari_bitsnet.core.writing import together\n"
    "with together(Path(sys.argv[1])) as files:\n    files.part('scan_source_1.tif').write_text('half'); "
    "os._exit(9)"
)


@pytest.mark.skipif(os.name == "nt", reason="processes of Windows cannot be asked whether they run")
def test_the_next_run_removes_what_a_killed_one_left(tmp_path):
    subprocess.run([sys.executable, "-c", LEAVE, str(tmp_path)], check=False, timeout=60)
    (left,) = tmp_path.iterdir()
    mine = writing.temporary_path(tmp_path)  # of a process that runs: of another thread, say
    other = tmp_path / left.name.replace(
        writing._machine(), "0123abcd"
    )  # of another machine on a shared folder
    foreign = [
        tmp_path / name for name in ("video.mp4.part", ".napari-bitsnet.part", ".scan_source_1.tif.1.part")
    ]
    for path in (mine, other, *foreign):
        path.touch()
    check_writable(tmp_path)
    assert set(tmp_path.iterdir()) == {mine, other, *foreign}
    os.utime(other, (time.time() - LONGEST - 60,) * 2)
    assert remove_leftovers(tmp_path) == [other]


def leave_behind(folder: Path, *, in_folder: bool) -> Path:
    """Have a process die in the middle of writing; return what it leaves."""
    inside = (
        "part.mkdir(); (part / 'piece').write_bytes(b'half')" if in_folder else "part.write_bytes(b'half')"
    )
    code = (
        "import os; from pathlib import Path; from napari_bitsnet.core.writing import atomically\n"
        f"with atomically(Path({str(folder / 'image')!r})) as part:\n    {inside}; os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    (left,) = folder.iterdir()
    return left


@pytest.mark.parametrize("in_folder", [False, True])
def test_what_a_killed_run_left_goes_with_the_next_file(tmp_path, in_folder):
    left = leave_behind(tmp_path, in_folder=in_folder)
    assert left.name.endswith(".part")
    with atomically(tmp_path / "other") as part:
        part.write_bytes(b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="only Linux tells when a process started")
@pytest.mark.parametrize(("age", "stays"), [(0, True), (3600 * 20, False)])
def test_a_number_that_another_process_has_by_now_keeps_nothing(tmp_path, age, stays):
    """This process, whose number the file has, is not 20 hours old."""
    path = temporary_path(tmp_path)
    path.touch()
    os.utime(path, (time.time() - age,) * 2)
    assert remove_leftovers(tmp_path) == ([] if stays else [path])


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="only Linux tells that a process has ended")
def test_a_process_that_nobody_waited_for_keeps_nothing(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    path = temporary_path(tmp_path)
    path = tmp_path / path.name.replace(f".{os.getpid()}.", f".{ended.pid}.")
    path.touch()
    for _ in range(100):
        if Path(f"/proc/{ended.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            break
        time.sleep(0.05)
    assert remove_leftovers(tmp_path) == [path]
    ended.wait()


def test_folders_take_their_places_and_go_as_files_do(tmp_path):
    for content in ("first", "second"):
        with atomically(tmp_path / "image.zarr") as part:
            part.mkdir()
            (part / content).write_text(content)
    assert [path.name for path in tmp_path.iterdir()] == ["image.zarr"]
    assert [path.name for path in (tmp_path / "image.zarr").iterdir()] == ["second"]

    def fill_the_disk() -> None:
        with together(tmp_path) as files:
            part = files.part("image.zarr")
            part.mkdir()
            (part / "piece").write_bytes(b"12345")
            assert files.written() == 5
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        fill_the_disk()
    assert [path.name for path in (tmp_path / "image.zarr").iterdir()] == ["second"]
    assert [path.name for path in tmp_path.iterdir()] == ["image.zarr"]
