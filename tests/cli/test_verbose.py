"""``--verbose`` prints the log of the package, which has one logger."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import napari_bitsnet

pytestmark = pytest.mark.usefixtures("quiet_afterwards")


def test_files_methods_stages_and_times_are_printed(toy, call, scan, tmp_path):
    code, text = call("--verbose", "separate", scan, "-o", tmp_path / "out", "--method", "toy", "--quiet")
    assert code == 0, text
    for words in (
        rf"read {re.escape(str(scan))}: \(24, 32\), uint16",
        r"slice 0: Toy of 24x32 pixels on \w+",
        r"slice 0: iterations at iteration 5, \d+\.\d\d s",
        rf"wrote {re.escape(str(tmp_path / 'out' / 'scan_run.json'))}",
    ):
        assert re.search(rf"^[-\d]+ [:,\d]+ napari_bitsnet\.[.\w]+: {words}$", text, re.MULTILINE), words


def test_without_it_nothing_is_logged(toy, call, scan, tmp_path):
    text = call("separate", scan, "-o", tmp_path / "out", "--method", "toy", "--quiet")[1]
    assert "napari_bitsnet." not in text


def test_every_module_logs_to_the_one_logger():
    source = Path(napari_bitsnet.__file__).parent
    named = {
        name
        for path in source.rglob("*.py")
        for name in re.findall(r"getLogger\((.*?)\)", path.read_text(encoding="utf-8"))
    }
    assert named == {"__name__", "LOGGER", '"pydicom"', '"tifffile"'}  # others: their complaints
