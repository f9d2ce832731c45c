"""Files take their places together or not at all; what killed runs left goes, and only that."""

import os
import subprocess
import sys
import time

import pytest

from napari_bitsnet.api.export.folders import check_writable
from napari_bitsnet.core import writing
from napari_bitsnet.core.writing import LONGEST, atomically, remove_leftovers, together


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
