"""A method that costs nothing, and a way to call the command line."""

import logging
import signal
from typing import ClassVar

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from napari_bitsnet.cli.app import build_app
from napari_bitsnet.cli.verbose import LOGGER
from napari_bitsnet.core.config import Config, setting
from napari_bitsnet.core.problem import State
from napari_bitsnet.methods import METHODS, BaseMethod


class ToyConfig(Config):
    strength: float = setting(0.4, "Amplitude of the noise.", ge=0, le=1, step=0.1)
    interrupt_at: int = setting(0, "Step at which Ctrl-C is pressed; 0 never.", ge=0, le=100, step=1)
    fail: bool = setting(False, "Whether it has a fault.")


class Toy(BaseMethod):
    """Moves seeded noise from one source to the other."""

    name = "toy"
    title = "Toy"
    summary = "For tests."
    Config = ToyConfig
    presets: ClassVar = {"quick": ToyConfig(strength=0.6), "balanced": ToyConfig(), "best": ToyConfig()}
    iterations = 5

    def unsupported_reason(self, traits):
        return None if traits.n_sources == 2 else "it takes two sources."

    def start(self, problem, *, device, seed):
        state = State(problem)
        state.seed = seed
        return state

    def advance(self, state):
        if self.config.fail:
            raise RuntimeError("a fault of ours")
        while True:
            state.step += 1
            if state.step == self.config.interrupt_at:
                signal.raise_signal(signal.SIGINT)
            yield {"loss": 1.0 / state.step}

    def solution(self, state):
        import torch

        generator = torch.Generator().manual_seed(100 * state.seed + state.step)
        mixture = state.problem.observations[:1]
        noise = self.config.strength * torch.rand(mixture.shape, generator=generator)
        return {"sources": torch.cat([mixture / 2 + noise, mixture / 2 - noise])}


@pytest.fixture
def toy():
    """Register the toy method for one test."""
    METHODS.register("toy")(Toy)
    yield
    del METHODS._entries["toy"]


@pytest.fixture
def call():
    """Call the command line; returns the exit code and all that was said."""

    def call(*arguments):
        outcome = CliRunner().invoke(
            build_app(), [str(a) for a in arguments], env={"COLUMNS": "400", "NO_COLOR": "1"}
        )
        if outcome.exception is not None and not isinstance(outcome.exception, SystemExit):
            raise outcome.exception
        return outcome.exit_code, outcome.output

    return call


@pytest.fixture
def quiet_afterwards():
    """Undo ``--verbose``: the test may have it, those after it in this process log nothing."""
    logger = logging.getLogger(LOGGER)
    handlers, level = logger.handlers, logger.level
    yield
    logger.handlers = handlers
    logger.setLevel(level)  # `level` alone would leave what the modules' loggers remember of it


@pytest.fixture
def scan(tmp_path):
    """A 16-bit TIFF with a resolution."""
    path = tmp_path / "scan.tif"
    image = np.random.default_rng(0).integers(0, 60000, (24, 32), dtype=np.uint16)
    tifffile.imwrite(path, image, resolution=(600, 600), resolutionunit="INCH")
    return path
