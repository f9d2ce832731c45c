"""Tables of runs: made from a folder, checked line by line, run in one process or several, with a summary."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile

from napari_bitsnet.cli import batch_table_running
from napari_bitsnet.cli.batch import BAD_USAGE, FAILURE, INTERRUPTED, SUCCESS
from napari_bitsnet.cli.batch_table_reading import read_table
from napari_bitsnet.methods import METHODS
from napari_bitsnet.tasks import TASKS

RNG = np.random.default_rng(0)


@pytest.fixture
def folder(tmp_path):
    """Images, with a guide, a mask and hints for some."""
    inside = tmp_path / "scans"
    inside.mkdir()
    for name in (
        "a.tif",
        "a_guide_1.tif",
        "a_guide_2.tif",
        "a_mask.tif",
        "b.tif",
        "c_10.tif",
        "c_10_hints.tif",
    ):
        image = RNG.integers(0, 2 if "mask" in name or "hints" in name else 255, (24, 32), dtype=np.uint8)
        tifffile.imwrite(inside / name, image)
    return inside


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def summary(out):
    with (out / "summary.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_table_of_a_folder_has_all_that_belongs_together(call, folder, tmp_path):
    (folder / "notes.txt").write_text("no image")
    (folder / "empty.tif").touch()
    tifffile.imwrite(folder / "z_mask.tif", np.zeros((24, 32), np.uint8))
    code, said = call("batch", "--init", folder)
    assert code == SUCCESS, said
    assert "z_mask.tif left out, because there is no image z" in said
    with (folder / "table.csv").open(encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    assert found == [
        {
            "image": "a.tif",
            "guide_1": "a_guide_1.tif",
            "guide_2": "a_guide_2.tif",
            "hints": "",
            "mask": "a_mask.tif",
            "task": "xray",
        },
        {"image": "b.tif", "guide_1": "", "guide_2": "", "hints": "", "mask": "", "task": "separate"},
        {
            "image": "c_10.tif",
            "guide_1": "",
            "guide_2": "",
            "hints": "c_10_hints.tif",
            "mask": "",
            "task": "separate",
        },
    ]
    rows = read_table(folder / "table.csv").rows
    assert [row.job.stem for row in rows] == ["a", "b", "c_10"]
    assert rows[0].job.guides == (folder / "a_guide_1.tif", folder / "a_guide_2.tif")
    assert rows[0].job.mask == folder / "a_mask.tif"
    assert call("batch", "--init", folder)[0] == BAD_USAGE  # it may have been edited
    code, said = call("batch", tmp_path / "above.csv", "--init", folder)
    assert code == SUCCESS
    assert "scans/a_guide_1.tif" in (tmp_path / "above.csv").read_text()


def test_results_in_the_folder_are_no_inputs(toy, call, folder):
    assert call("separate", folder / "b.tif", "-o", folder, "--method", "toy", "--quiet")[0] == SUCCESS
    assert (folder / "b_source_1.tif").exists()
    assert call("batch", "--init", folder)[0] == SUCCESS
    assert [row.job.stem for row in read_table(folder / "table.csv").rows] == ["a", "b", "c_10"]


def test_settings_of_run_task_and_method_are_columns(toy, folder):
    table = write(
        folder / "t.csv",
        "image;task;method;seed;iterations;mixing;flat;strength;seconds;page\n"
        "a.tif;separate;toy;3;2;attenuation;b.tif;0.25;none;0\n"
        "\n"
        "b.tif;;toy;;;;;;;\n",
    )
    found = read_table(table)
    assert not found.faults
    first, second = (row.settings for row in found.rows)
    assert (first.task, first.method, first.seed, first.iterations) == ("separate", "toy", 3, 2)
    assert first.options["mixing"] == "attenuation"
    assert str(first.options["flat"]) == str(folder / "b.tif")
    assert first.settings == {"strength": 0.25}
    assert found.rows[0].job.part == {"page": 0}
    assert second.seed == 0
    assert second.settings == {}
    assert [row.line for row in found.rows] == [2, 4]


def test_every_setting_of_every_task_and_method_may_be_a_column(folder):
    for config in [*(TASKS.get(n).Config for n in TASKS), *(METHODS.get(n).Config for n in METHODS)]:
        names = ",".join(["image", *(name for name in config.model_fields if name != "image")])
        assert not read_table(write(folder / "t.csv", f"{names}\nb.tif\n")).faults


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("missing.tif,,,,", r"got .*missing\.tif, which does not exist"),
        (",,,,", "Expected the name of a file in the column image"),
        ("a.tif,seperate,,,", "Did you mean 'separate'"),
        ("a.tif,,-1,,", "seed: Input should be greater than or equal to 0"),
        ("a.tif,,x,,", "seed: Input should be a valid integer"),
        ("a.tif,,,2,", "strength: Input should be less than or equal to 1"),
        ("a.tif,denoise,,,", "Toy cannot solve this"),
        ("a.tif,,,,b.tif", "Expected no guide for the task separate"),
        ("a.tif,,,,gone.png", r"Expected no guide|gone\.png"),
    ],
)
def test_faults_are_sentences_with_their_line(toy, call, folder, tmp_path, row, message):
    head = "image,task,seed,strength,guide_1,method\n"
    table = write(folder / "t.csv", f"{head}b.tif,,,,,toy\n{row or ','},toy\nc_10.tif,,-7,,,toy\n")
    code, said = call("batch", table, "--check", "-o", tmp_path / "out")
    assert code == BAD_USAGE
    lines = [line for line in said.splitlines() if "t.csv, line" in line]
    assert [line.split("line ")[1][0] for line in lines] == ["3", "4"]
    assert re.search(message, lines[0])
    assert "seed" in lines[1]
    assert "2 faults; nothing was run" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("image,guid_1", "Unknown column 'guid_1'. Did you mean 'guide_1'"),
        ("image,strenth", "Unknown column 'strenth'. Did you mean 'strength'"),
        ("image,image", "Expected each column once"),
        ("scan", "Unknown column 'scan'"),
        ("task", "Expected a column image"),
    ],
)
def test_columns_that_are_unknown(toy, call, folder, head, message):
    code, said = call("batch", write(folder / "t.csv", f"{head}\na.tif,1\n"), "--check")
    assert code == BAD_USAGE
    assert message in said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image\n", "without rows"),
        ("", "without rows"),
        ("image,seed\na.tif,1,2\n", "line 2: Expected 2 cells, one for each column, got 3"),
        ("image\na.tif\nb.tif\na.tif\n", "got a in line 2 as well"),
        ("image_1,image_3,task\na.tif,b.tif,multi_mixture\n", "Expected image_2 beside image_3"),
        ("image_1,image_2\na.tif,b.tif\n", "Expected one image for the task separate, got 2"),
        ("image,truth_1,truth_2\na.tif,b.tif,b.tif\n", "Expected --report"),
    ],
)
def test_tables_that_make_no_sense(toy, call, folder, text, message):
    code, said = call("batch", write(folder / "t.csv", text), "--check")
    assert code == BAD_USAGE
    assert message in said


def test_all_faults_of_a_table_are_listed_at_once(toy, call, folder):
    table = write(
        folder / "t.csv",
        "image,guid_1,task,seed,preset,method,strength,interrupt_at,mask,iterashuns\n"
        "gone.tif,x,separate,-1,fine,toy,2,x,no.tif,5\n"
        "b.tif,,seperate,,,,,,no.tif,\n"
        "c_10.tif,,,,,,,,,,7\n"
        "b.tif,,,,,,,,,\n"
        "b.tif,,,,,,,,,\n",
    )
    code, said = call("batch", table, "--check")
    assert code == BAD_USAGE
    lines = [line.removeprefix("error: t.csv, line ") for line in said.splitlines()]
    expected = [
        r"1: Unknown column 'guid_1', 'iterashuns'\. Did you mean 'guide_1'\? Did you mean 'iterations'\?",
        r"2: seed: .*greater than or equal to 0",
        r"2: .*gone\.tif, which does not exist",
        r"2: .*no\.tif, which does not exist",
        r"2: Unknown preset 'fine' of toy",
        r"2: strength: .*less than or equal to 1",
        r"2: interrupt_at: .*valid integer",
        r"3: .*Did you mean 'separate'",
        r"3: .*no\.tif, which does not exist",
        r"4: Expected 10 cells, one for each column, got 11",
        r"6: Expected images of different names, got b in line 5 as well",
        r".*11 faults; nothing was run",
    ]
    assert len(lines) == len(expected), said
    assert [
        pattern for pattern, line in zip(expected, lines, strict=True) if not re.match(pattern, line)
    ] == []


def test_faults_of_the_first_line_are_listed_together(call, folder):
    code, said = call("batch", write(folder / "t.csv", "scan,seed,seed,prset\na.tif,1,-2,best\n"), "--check")
    assert code == BAD_USAGE
    assert said.count("t.csv, line 1: ") == 3
    for part in ("Unknown column 'scan', 'prset'", "got 'seed' 2 times", "Expected a column image"):
        assert part in said


def test_no_table_and_no_folder_for_results(call, folder):
    assert "Expected a table" in call("batch")[1]
    assert "Expected a table, got" in call("batch", folder / "none.csv", "--check")[1]
    table = write(folder / "t.csv", "image\na.tif\n")
    assert "Expected --out" in call("batch", table)[1]
    assert call("batch", table, "--check") == (SUCCESS, f"{table}: 1 row, no fault\n")


def test_rows_are_run_and_summed_up_and_skipped_the_next_time(toy, call, folder, tmp_path):
    out = tmp_path / "out"
    table = write(
        folder / "t.csv",
        "image,method,iterations,fail,mask,strength\n"
        "a.tif,toy,2,,a_mask.tif,0.1\n"
        "b.tif,toy,,true,,\n"
        "c_10.tif,toy,3,,,0.2\n",
    )
    code, said = call("batch", table, "-o", out, "-q")
    assert code == FAILURE
    assert "2 done, 1 failed" in said or "1 failed" in said
    first, second, third = summary(out)
    assert [line["status"] for line in (first, second, third)] == ["done", "failed", "done"]
    assert [line["row"] for line in (first, second, third)] == ["2", "3", "4"]
    assert "a fault of ours" in second["error"]
    record = json.loads((out / "a_run.json").read_text())
    assert first["method"] == "toy"
    assert float(first["seconds"]) == record["seconds"]
    assert int(first["warnings"]) == len(record["warnings"])
    assert first["first_warning"] == (record["warnings"] or [""])[0]
    assert record["iterations"] == 2
    assert record["method_settings"]["strength"] == 0.1
    before = (out / "a_source_1.tif").stat().st_mtime_ns
    code, _ = call("batch", table, "-o", out, "-q")
    assert [line["status"] for line in summary(out)] == ["skipped", "failed", "skipped"]
    assert summary(out)[0]["seconds"] == first["seconds"]
    assert (out / "a_source_1.tif").stat().st_mtime_ns == before
    write(folder / "t.csv", table.read_text().replace("true", "false"))
    assert call("batch", table, "-o", out, "-q", "--overwrite")[0] == SUCCESS
    assert [line["status"] for line in summary(out)] == ["done", "done", "done"]


def test_scores_of_the_record_are_in_the_summary(call, folder, tmp_path, toy):
    table = write(folder / "t.csv", "image,method\nb.tif,toy\n")
    call("batch", table, "-o", tmp_path / "out", "-q")
    path = tmp_path / "out" / "b_run.json"
    record = json.loads(path.read_text())
    record["losses"] = {"explained_energy": 0.123456, "doubt": None}
    record["warnings"] = ['The first.\nSee unexplained="apart".', "The second."]
    path.write_text(json.dumps(record))
    call("batch", table, "-o", tmp_path / "out", "-q")
    (line,) = summary(tmp_path / "out")
    assert (line["explained"], line["doubt"]) == ("0.1235", "")
    assert (line["warnings"], line["first_warning"]) == ("2", "The first. See unexplained=apart.")


def test_messages_about_a_row_name_cells_and_not_flags(toy, call, folder, tmp_path):
    np.save(folder / "five.npy", np.zeros((5, 24, 32), np.float32))
    np.save(folder / "rgb.npy", RNG.random((24, 32, 3), dtype=np.float32))
    table = write(folder / "t.csv", "image,method\nfive.npy,toy\nrgb.npy,toy\n")
    code, said = call("batch", table, "-o", tmp_path / "out", "-q")
    assert code == FAILURE
    assert "say what its dimensions are, for example axes=ZYX" in summary(tmp_path / "out")[0]["error"]
    assert re.search("note: rgb: .* name them, for example axes=ZYX", said)
    assert "--" not in said


def test_ctrl_c_keeps_what_is_done(toy, call, folder, tmp_path):
    table = write(folder / "t.csv", "image,method,interrupt_at\na.tif,toy,\nb.tif,toy,2\nc_10.tif,toy,\n")
    code, said = call("batch", table, "-o", tmp_path / "out", "-q")
    assert code == INTERRUPTED
    assert "1 done, 1 stopped, 1 not run" in said
    assert [line["status"] for line in summary(tmp_path / "out")] == ["done", "stopped", "not run"]
    assert json.loads((tmp_path / "out" / "b_run.json").read_text())["iterations"] == 2
    write(folder / "t.csv", "image,method,interrupt_at\na.tif,toy,\nb.tif,toy,2\nc_10.tif,toy,\n")
    code, _ = call("batch", table, "-o", tmp_path / "out", "-q")
    assert summary(tmp_path / "out")[0]["status"] == "skipped"


def test_files_that_are_not_ours_are_kept(toy, call, folder, tmp_path):
    table = write(folder / "t.csv", "image,method\na.tif,toy\n")
    write(tmp_path / "summary.csv", "my own\n")
    code, said = call("batch", table, "-o", tmp_path, "-q")
    assert code == BAD_USAGE
    assert "another file of that name" in said
    assert (tmp_path / "summary.csv").read_text() == "my own\n"
    tifffile.imwrite(folder / "a_source_1.tif", np.zeros((24, 32), np.uint8))
    write(table, "image,method\na.tif,toy\na_source_1.tif,toy\n")
    code, said = call("batch", table, "-o", folder, "-q")
    assert code == BAD_USAGE
    assert "both to read and to write" in said


def test_processes_write_what_one_process_writes(call, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    table = write(folder / "t.csv", "image,task,method\na.tif,denoise,nl_bayes\nb.tif,denoise,nl_bayes\n")
    assert call("batch", table, "-o", tmp_path / "one", "-q")[0] == SUCCESS
    code, said = call("batch", table, "-o", tmp_path / "two", "--jobs", 2)
    assert code == SUCCESS, said
    assert [line["status"] for line in summary(tmp_path / "two")] == ["done", "done"]
    for name in ("a_clean.tif", "b_clean.tif"):
        one, two = (tifffile.imread(tmp_path / each / name) for each in ("one", "two"))
        np.testing.assert_array_equal(one, two)


def test_what_processes_do_is_logged(call, folder, tmp_path, capfd, quiet_afterwards):
    table = write(folder / "t.csv", "image,task,method\nb.tif,denoise,nl_bayes\n")
    assert call("--verbose", "batch", table, "-o", tmp_path / "out", "--jobs", 2)[0] == SUCCESS
    assert re.search(r"napari_bitsnet\.[.\w]+: read .*b\.tif", capfd.readouterr().err)


class Row:
    """A row that ends its process."""

    row = SimpleNamespace(job=SimpleNamespace(stem="b"))

    def __init__(self, kill):
        self.kill = kill

    def run(self, asked):
        if self.kill:
            os.kill(os.getpid(), signal.SIGTERM)
        return batch_table_running.Outcome("stopped" if asked() else "done")


def test_a_process_that_is_killed_takes_its_own_row_only(capsys):
    from napari_bitsnet.cli.interrupt import Interrupt

    rows = [Row(False), Row(True), Row(False)]
    found = dict(batch_table_running.run_in_processes(rows, Interrupt(), 1))
    assert [found[k].status for k in range(3)] == ["done", "failed", "done"]
    assert "was killed" in found[1].error
    assert f"error: b: {found[1].error}" in capsys.readouterr().err


KILLED_WITH_WORKERS = """
import multiprocessing, os, signal
from concurrent.futures import ProcessPoolExecutor
from napari_bitsnet.cli.batch_table_running import _prepare

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, _prepare, (context.Event(), 1, False)) as pool:
        print(pool.submit(os.getppid).result() == os.getpid(), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_workers_end_when_the_main_process_is_killed(tmp_path):
    script = tmp_path / "main.py"
    script.write_text(KILLED_WITH_WORKERS)
    # workers hold the pipe, too: this waits until the last of them has ended
    done = subprocess.run([sys.executable, script], stdout=subprocess.PIPE, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert done.stdout.strip() == b"True"
