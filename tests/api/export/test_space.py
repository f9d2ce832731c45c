"""A full disk: said before the work where it is known, and the earlier run stays as it was where it is
not."""

import errno
import shutil
import sys
from collections import namedtuple

import numpy as np
import pytest

from napari_bitsnet.api import RunSettings
from napari_bitsnet.api.export import space
from napari_bitsnet.api.export.before_run import check_before_run
from napari_bitsnet.api.export.saving import is_finished, save_results
from napari_bitsnet.api.export.space import NoSpaceError, check_space, in_words
from napari_bitsnet.api.planes import Planes
from napari_bitsnet.api.result import Result
from napari_bitsnet.core import writing
from tests.described import described
from tests.files_there import contents

Usage = namedtuple("Usage", "total used free")
MIXTURE = np.random.default_rng(0).random((40, 50)).astype(np.float32)


def result(n=2):
    outputs = {f"source_{k + 1}": MIXTURE / n for k in range(n)}
    provenance = {
        "task": "separate",
        "method": "toy",
        "preset": "quick",
        "settings": RunSettings().model_dump(mode="json"),
        "task_settings": {},
        "iterations": 3,
        "stop_reason": "iterations",
    }
    return Result(described("separate", outputs), provenance)


def save(result, mixture, folder, stem, **options):
    """Save a result with `save_results`."""
    return save_results({stem: (result.outputs, result.provenance)}, mixture, folder, **options)


def test_what_is_missing_is_said_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(10**9, 0, 10_000))
    with pytest.raises(NoSpaceError, match=r"got 10 kB: make \d+ kB free, or choose another folder") as error:
        save(result(), MIXTURE, tmp_path, "scan")
    assert error.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []


def test_disks_that_do_not_tell_are_believed(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(0, 0, 0))
    check_space(tmp_path, 10**12)


def test_the_estimate_is_not_below_what_is_written(tmp_path):
    files = save(result(), MIXTURE, tmp_path, "scan")
    needed = []
    space_check = space.check_space
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("napari_bitsnet.api.export.saving.check_space", lambda *a: needed.append(a[1]))
        save(result(), MIXTURE, tmp_path, "scan")
    assert needed[0] >= sum(path.stat().st_size for path in files)
    space_check(tmp_path, needed[0])


@pytest.mark.parametrize(("free", "fits"), [(2 * 40 * 50 * 4, True), (2 * 40 * 50 * 4 - 1, False)])
def test_sources_that_do_not_fit_are_said_before_the_run(tmp_path, monkeypatch, free, fits):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(10**9, 0, free))
    if fits:
        check_before_run(RunSettings(), Planes(MIXTURE), tmp_path)
        return
    with pytest.raises(NoSpaceError, match="make 1 bytes free"):
        check_before_run(RunSettings(), Planes(MIXTURE), tmp_path)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/dev/full is Linux'")
@pytest.mark.parametrize("full", range(5))
def test_a_disk_that_runs_full_leaves_the_earlier_run(tmp_path, monkeypatch, full):
    """Every file in turn is the one that meets a device without space: records, images, preview."""
    save(result(3), MIXTURE, tmp_path, "scan")
    before = contents(tmp_path)
    part, count = writing.Together.part, iter(range(100))

    def to_full_device(self, name):
        path = part(self, name)
        if next(count) == full:
            path.symlink_to("/dev/full")
        return path

    monkeypatch.setattr(writing.Together, "part", to_full_device)
    with pytest.raises(
        NoSpaceError, match=r"Expected .* of free space in .* Files of earlier runs are as they were"
    ):
        save(result(2), MIXTURE, tmp_path, "scan")
    assert contents(tmp_path) == before
    assert is_finished(tmp_path, "scan")


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_files_that_are_too_large_for_the_disk_are_said(tmp_path):
    """As on FAT32, which holds no file above 4 GB; here the limit of the process is what is met."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(NoSpaceError, match="takes no file as large: choose another folder"):
            save(result(), MIXTURE, tmp_path, "scan")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("size", "words"), [(1, "1 bytes"), (1500, "1.5 kB"), (2**33, "8.59 GB"), (10**16, "1e+04 TB")]
)
def test_sizes_in_words(size, words):
    assert in_words(size) == words
