"""PyTorch's threads: asleep while they wait, fewer where they cannot be, and as they were after a run."""

import os
import subprocess
import sys

import pytest
import torch

import napari_bitsnet as nb
from napari_bitsnet.core import threads


def in_a_process(script: str, **environment: str) -> list[str]:
    """Words that a script prints which begins without a policy."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "MKL_", "GOMP_", "KMP_"))}
    done = subprocess.run(
        [sys.executable, "-c", "import os, sys\n" + script],
        capture_output=True, text=True, check=True, env={**kept, **environment},
    )  # fmt: skip
    return done.stdout.split()


@pytest.mark.parametrize(
    "load",
    [
        "import napari_bitsnet",
        "import napari_bitsnet.core.registration.register",
        "import napari_bitsnet.core.metrics",
        "import napari_bitsnet.cli",
    ],
)
def test_the_policy_is_set_before_torch_is_loaded(load: str):
    # OpenMP reads the environment once, when PyTorch is loaded: what it says when that begins is what counts
    watch = (
        "class Watch:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'torch':\n"
        "            print(os.environ.get('OMP_WAIT_POLICY'), flush=True)\n"
        "            os._exit(0)\n"
        "sys.meta_path.insert(0, Watch())\n"
    )
    assert in_a_process(f"{watch}{load}\nimport torch") == ["PASSIVE"]


def test_who_has_chosen_a_policy_keeps_it():
    script = "import napari_bitsnet; print(os.environ['OMP_WAIT_POLICY'])"
    assert in_a_process(script, OMP_WAIT_POLICY="ACTIVE") == ["ACTIVE"]


def test_where_torch_is_loaded_already_the_environment_stays_as_it_was():
    script = (
        "sys.modules['torch'] = type(sys)('torch')  # its place only, for speed\n"
        "import napari_bitsnet; print(os.environ.get('OMP_WAIT_POLICY'))"
    )
    assert in_a_process(script) == ["None"]


@pytest.mark.parametrize(
    ("current", "cores", "asleep", "wanted"),
    [(2, 2, True, 2), (2, 2, False, 1), (16, 16, False, 8), (3, 16, False, 3), (1, 1, False, 1)],
)
def test_threads_that_wait_actively_leave_half_the_cores(current, cores, asleep, wanted):
    assert threads.n_threads(current, cores, asleep=asleep) == wanted


@pytest.fixture
def four_active_threads(monkeypatch):
    monkeypatch.setattr(threads, "_asleep", [False])
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def test_a_run_takes_fewer_threads_and_puts_the_number_back(four_active_threads):
    mixture = torch.rand(2, 32, 32, generator=torch.Generator().manual_seed(0)).numpy()
    result = nb.run("multi_mixture", mixture, preset="quick")
    assert result.provenance["threads"] == 2
    assert torch.get_num_threads() == 4


def test_between_the_steps_and_after_an_error_the_number_is_as_it_was(four_active_threads):
    def steps():
        got = yield torch.get_num_threads()
        yield got
        raise RuntimeError("full")

    run = threads.with_polite_threads(steps())
    assert next(run) == 2
    assert torch.get_num_threads() == 4
    assert run.send("enough") == "enough"  # what is sent arrives
    with pytest.raises(RuntimeError, match="full"):
        next(run)
    assert torch.get_num_threads() == 4


def test_closing_a_run_closes_what_it_wraps():
    closed = []

    def steps():
        try:
            yield 1
        finally:
            closed.append(True)

    run = threads.with_polite_threads(steps())
    next(run)
    run.close()
    assert closed == [True]
