from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_bitsnet.core.mixing import Weighted
from napari_bitsnet.core.problem import Iteration, Problem, Traits


def ones(*shape: int) -> torch.Tensor:
    return torch.ones(shape)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"observations": ones(3, 8, 9)}, r"Expected observations \(M, C, H, W\), got shape \(3, 8, 9\)"),
        ({"n_sources": 0}, "Expected at least 1 source, got 0"),
        ({"guides": (None,)}, "one guide .* for each of the 2 sources, got 1"),
        ({"guides": (None, ones(1, 3, 8, 8))}, r"Expected guide 2 of \(8, 9\) pixels \(Y, X\), got \(8, 8\)"),
        ({"hints": ones(2, 1, 4, 9)}, r"Expected hints of \(8, 9\) pixels \(Y, X\), got \(4, 9\)"),
        ({"valid": ones(1, 1, 8, 10)}, r"Expected valid of \(8, 9\) pixels \(Y, X\), got \(8, 10\)"),
    ],
)
def test_parts_that_do_not_fit_are_refused(arguments, text):
    with pytest.raises(ValueError, match=text):
        Problem(**{"observations": ones(1, 1, 8, 9), **arguments})


def test_traits_say_what_there_is():
    assert Problem(ones(1, 3, 8, 9)).traits == Traits(1, 2, 0, False, "linear")
    several = Problem(ones(3, 1, 8, 9), 3, Weighted(), (None, ones(1, 3, 8, 9), None), hints=ones(3, 1, 8, 9))
    assert several.traits == Traits(3, 3, 1, True, "weighted")


def test_all_images_are_mapped_together():
    valid = torch.ones((1, 1, 8, 8), dtype=torch.bool)
    valid[..., :2, :2] = False
    problem = Problem(ones(1, 3, 8, 8), guides=(ones(1, 2, 8, 8), None), hints=ones(2, 1, 8, 8), valid=valid)
    half = problem.map_images(lambda image: torch.nn.functional.avg_pool2d(image, 2))
    assert half.observations.shape == (1, 3, 4, 4)
    assert half.guides[0].shape == (1, 2, 4, 4)
    assert half.guides[1] is None
    assert half.hints.shape == (2, 1, 4, 4)
    assert half.valid.dtype == torch.bool
    assert (~half.valid[0, 0]).nonzero().tolist() == [[0, 0]]
    assert problem.map_images(lambda image: image).valid.equal(valid)


def test_all_tensors_go_to_the_device():
    problem = Problem(
        ones(1, 1, 4, 4), guides=(ones(1, 3, 4, 4), None), hints=ones(2, 1, 4, 4), valid=ones(1, 1, 4, 4) > 0
    ).to("meta")
    tensors = [problem.observations, problem.guides[0], problem.hints, problem.valid]
    assert [t.device.type for t in tensors] == ["meta"] * 4
    assert problem.guides[1] is None


def test_an_iteration_fetches_its_outputs_once_and_when_looked_at():
    fetched = []

    def fetch() -> dict[str, np.ndarray]:
        fetched.append(1)
        return {"source_1": np.zeros((2, 2), np.float32)}

    step = Iteration(3, 10, 1.25, {"misfit": torch.tensor(0.5)}, fetch, plane=2)
    assert step.losses == {"misfit": 0.5}
    assert not fetched
    assert step.outputs is step.outputs
    assert fetched == [1]
    assert (step.step, step.total, step.elapsed, step.plane) == (3, 10, 1.25, 2)
    assert repr(step) == "Iteration(3/10, 1.2 s)"
