"""The option --scheduler: files and rows on workers, slices of one stack, what is said when none answers."""

import csv
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tifffile
from typer.main import get_command

from napari_bitsnet.cli import on_workers
from napari_bitsnet.cli.app import build_app
from napari_bitsnet.cli.batch import BAD_USAGE, FAILURE, SUCCESS
from napari_bitsnet.cli.interrupt import Interrupt
from napari_bitsnet.cli.job import Job
from napari_bitsnet.cli.outcome import Outcome
from napari_bitsnet.cli.scheduler import connected, on_worker
from napari_bitsnet.tasks import TASKS

distributed = pytest.importorskip("distributed")
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def cluster():
    """Two workers in this process, which know its toy methods."""
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster:
        yield cluster


@pytest.fixture
def scans(tmp_path):
    paths = [tmp_path / f"{name}.tif" for name in "ab"]
    for path in paths:
        tifffile.imwrite(path, RNG.integers(0, 60000, (24, 32), dtype=np.uint16))
    return paths


def test_every_command_that_computes_has_it():
    commands = get_command(build_app()).commands
    has = {name for name, command in commands.items() if any("--scheduler" in p.opts for p in command.params)}
    tasks = {name.replace("_", "-") for name in TASKS}
    assert has == tasks | {"batch", "check", "spike-in", "register"}
    helps = {p.help for name in has for p in commands[name].params if "--scheduler" in p.opts}
    assert len(helps) == 1  # the option is written once


@pytest.mark.parametrize("where", ["locally", "local[0]", "local[2", "host", "tcp:/x"])
def test_what_is_no_scheduler_is_refused(call, scans, tmp_path, where):
    code, said = call("denoise", scans[0], "-o", tmp_path / "out", "--scheduler", where)
    assert code == BAD_USAGE
    assert "Expected local, local[N] or the address of a scheduler" in said
    assert repr(where) in said


def test_a_scheduler_that_does_not_answer_is_named(call, scans, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_bitsnet.cli.scheduler.SECONDS", 0.2)
    where = "tcp://127.0.0.1:9"
    code, said = call("denoise", scans[0], "-o", tmp_path / "out", "--scheduler", where)
    assert code == BAD_USAGE
    assert f"Expected a Dask scheduler at {where}, none answered" in said


def test_local_names_the_number_of_processes(monkeypatch):
    made = []

    class Cluster:
        def __init__(self, **given):
            made.append(given)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

    monkeypatch.setattr(distributed, "LocalCluster", Cluster)
    monkeypatch.setattr(distributed, "Client", lambda cluster: Cluster())
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    for where in ("local", "local[2]", "local[16]"):
        with connected(where) as client:
            assert isinstance(client, Cluster)
    found = [(each["n_workers"], each["env"]["OMP_NUM_THREADS"]) for each in made if each]
    assert found == [(8, "1"), (2, "4"), (16, "1")]
    assert all(each["threads_per_worker"] == 1 for each in made if each)


def test_files_are_shared_out_and_what_they_say_arrives(toy, call, scans, tmp_path, cluster):
    out, given = tmp_path / "out", ["--method", "toy", "--iterations", "2"]
    code, said = call("separate", *scans, "-o", out, *given, "--scheduler", cluster.scheduler_address)
    assert code == SUCCESS, said
    assert "a: toy, 2 iterations" in said
    assert "b: toy, 2 iterations" in said
    assert call("separate", *scans, "-o", tmp_path / "here", *given)[0] == SUCCESS
    for name in ("a_source_1.tif", "b_source_2.tif"):
        np.testing.assert_array_equal(tifffile.imread(out / name), tifffile.imread(tmp_path / "here" / name))
    code, said = call("separate", *scans, "-o", out, *given, "--scheduler", cluster.scheduler_address)
    assert said.count("finished before, skipped") == 2
    code, said = call(
        "separate", *scans, "-o", tmp_path / "bad", *given, "--set", "fail=true", "--scheduler",
        cluster.scheduler_address,
    )  # fmt: skip
    assert code == FAILURE
    assert "error: a: " in said
    assert "2 of 2 inputs failed" in said


def test_rows_are_shared_out_and_summed_up(toy, call, scans, tmp_path, cluster):
    table = tmp_path / "t.csv"
    table.write_text("image,method,iterations,fail\na.tif,toy,2,\nb.tif,toy,,true\n", encoding="utf-8")
    code, said = call("batch", table, "-o", tmp_path / "out", "--scheduler", cluster.scheduler_address)
    assert code == FAILURE
    assert "2 of 2 rows" in said
    with (tmp_path / "out" / "summary.csv").open(encoding="utf-8") as file:
        assert [line["status"] for line in csv.DictReader(file)] == ["done", "failed"]
    code, said = call("batch", table, "-o", tmp_path / "o", "--jobs", 2, "--scheduler", "local[2]")
    assert code == BAD_USAGE
    assert "got both" in said


def test_slices_of_one_stack_are_shared_out(toy, call, tmp_path, cluster):
    path = tmp_path / "stack.tif"
    stack = RNG.integers(0, 60000, (3, 24, 32), dtype=np.uint16)
    stack[2] = 7  # without contrast: it is left out
    tifffile.imwrite(path, stack, metadata={"axes": "ZYX"}, imagej=True)
    given = ["--method", "toy", "--iterations", "2", "--quiet"]
    code, said = call("separate", path, "-o", tmp_path, *given, "--scheduler", cluster.scheduler_address)
    assert code == SUCCESS, said
    assert "Slice 2 was left out" in said
    found = tifffile.imread(tmp_path / "stack_source_1.tif")
    assert call("separate", path, "-o", tmp_path / "here", *given)[0] == SUCCESS
    np.testing.assert_array_equal(found, tifffile.imread(tmp_path / "here" / "stack_source_1.tif"))


@dataclass(frozen=True)
class Rows:
    """Stands for a `Batch`; the worker of one job is lost."""

    quiet: bool = False

    def run_one(self, job, asked, say):
        say(f"{job.stem} runs")
        if job.stem == "lost":
            raise distributed.KilledWorker("lost", None, 4)
        return Outcome("done")


def test_a_lost_worker_fails_its_job_only_and_no_job_begins_after_ctrl_c(cluster, capsys):
    runs = [(Rows(), Job((Path(f"{stem}.tif"),))) for stem in ("one", "lost", "two")]
    with distributed.Client(cluster) as client:
        found = dict(on_workers.run_on_workers(client, runs, Interrupt()))
        assert [found[k].status for k in range(3)] == ["done", "failed", "done"]
        assert "was killed" in found[1].error
        said = capsys.readouterr()
        assert set(said.out.splitlines()) == {"one runs", "two runs"}
        assert said.err.startswith("error: lost: ")
        ended = Interrupt()
        ended.number = 2
        found = dict(on_workers.run_on_workers(client, runs, ended))
        assert {each.status for each in found.values()} == {"not run"}


def test_one_call_on_a_worker_returns_its_warnings_and_errors(cluster):
    def call(image, *, where):
        warnings.warn("dim", UserWarning, stacklevel=1)
        if where == "nowhere":
            raise ValueError("Expected a place.")
        return image.sum(), where, threading.get_ident()

    image = np.arange(4)
    with distributed.Client(cluster) as client:
        with pytest.warns(UserWarning, match="dim"):
            total, where, thread = on_worker(client, call, image, where="y")
        assert (total, where) == (6, "y")
        assert thread != threading.get_ident()
        with pytest.raises(ValueError, match="Expected a place"):
            on_worker(client, call, image, where="nowhere")
    with pytest.warns(UserWarning, match="dim"):
        assert on_worker(None, call, image, where="y")[2] == threading.get_ident()
