"""The method `ytmt`: which weights fit which problem, and what it says."""

from __future__ import annotations

import numpy as np
import pytest

import napari_bitsnet as nb
from napari_bitsnet.core.networks.facts import facts_of
from napari_bitsnet.core.problem import Traits
from napari_bitsnet.methods import METHODS
from napari_bitsnet.methods.ytmt.weights_file import load_weights
from napari_bitsnet.methods.ytmt.ytmt import YTMT, YTMTConfig

MIXTURE = np.random.default_rng(0).integers(0, 60000, (40, 56)).astype(np.uint16)


def separate(path, **settings):
    return nb.separate(MIXTURE, method="ytmt", settings={"weights": path}, **settings)


def test_own_kinds_add_up_and_are_named(write_weights):
    result = separate(write_weights())
    assert result.sources.shape == (2, 40, 56)
    np.testing.assert_allclose(result.sources.sum(axis=0), MIXTURE, atol=0.5)
    assert np.abs(result.outputs["residual"].array).max() < 0.5
    captions = [result.outputs[f"source_{k}"].caption for k in (1, 2)]
    assert captions == ["Source 1: nuclei", "Source 2: membrane"]
    disagreement = result.outputs["disagreement"]
    assert (disagreement.kind, disagreement.shape, disagreement.units) == ("map", (40, 56), "own")
    assert disagreement.array.min() >= 0
    quick = separate(write_weights(), preset="quick")
    assert "disagreement" not in quick.outputs


def test_a_record_with_a_relative_path_is_run_again_in_another_folder(write_weights, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = separate(write_weights().name)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = nb.separate(MIXTURE, method="ytmt", settings=first.provenance["settings"]["settings"])
    np.testing.assert_array_equal(again.sources, first.sources)


def test_three_kinds_need_three_sources(write_weights):
    path = write_weights(("dna", "actin", "spots"), name="three.safetensors")
    assert separate(path, n_sources=3).sources.shape == (3, 40, 56)
    with pytest.raises(
        ValueError,
        match=r"know 3 kinds of images \(dna, actin, spots\), and 2 sources are wanted: set n_sources=3",
    ):
        separate(path)


def test_a_stack_is_separated_slice_by_slice_with_one_network(write_weights):
    stack = np.stack([MIXTURE, MIXTURE[::-1]])
    result = nb.separate(stack, axes="ZYX", method="ytmt", settings={"weights": write_weights()})
    np.testing.assert_allclose(result.sources[:, 0], separate(write_weights()).sources, atol=0.5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"mixing": "attenuation"},
            "got .*own.safetensors for the mixing attenuation: set mixing=attenuation",
        ),
        ({"mixing": "reflection", "whole": True}, "for nuclei, membrane: use the task reflection"),
        ({"method": "feedforward"}, "Expected weights of the method ytmt, got .* of 'feedforward'"),
    ],
)
def test_weights_for_something_else_are_refused(write_weights, changes, message):
    with pytest.raises(ValueError, match=message):
        separate(write_weights(**changes))


def test_weights_for_own_kinds_are_refused_for_reflections(write_weights):
    with pytest.raises(ValueError, match=r"got .* for nuclei, membrane: use the task separate"):
        nb.run("reflection", MIXTURE, method="ytmt", settings={"weights": write_weights()})


def test_files_that_are_no_weights_are_refused_in_a_sentence(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"no weights at all")
    with pytest.raises(ValueError, match=r"Expected weights in a .safetensors file, got .*x.safetensors"):
        load_weights(tmp_path / "x.safetensors")
    with pytest.raises(FileNotFoundError, match="which does not exist"):
        load_weights(tmp_path / "y.safetensors")
    (tmp_path / "z.pt").write_bytes(b"")
    with pytest.raises(
        ValueError, match="convert the authors' file once, with napari-bitsnet convert-weights"
    ):
        load_weights(tmp_path / "z.pt")
    assert facts_of(tmp_path / "x.safetensors") == {}
    assert facts_of(tmp_path / "y.safetensors") == {}


def test_what_a_file_says_is_read_without_loading_it(write_weights):
    assert facts_of(write_weights()) == load_weights(write_weights())[1]


@pytest.mark.parametrize(
    ("traits", "reason"),
    [
        (Traits(), "task reflection"),
        (Traits(n_guides=2), "neither guides nor hints"),
        (Traits(has_hints=True), "neither guides nor hints"),
        (Traits(mixing="weighted", n_observations=2), "one image"),
    ],
)
def test_what_the_packages_weights_cannot_do(traits, reason):
    assert reason in YTMT(YTMTConfig()).unsupported_reason(traits)


def test_the_task_reflection_takes_it():
    from napari_bitsnet.tasks import TASKS

    assert TASKS.get("reflection")().default_method(Traits(mixing="reflection")) == "ytmt"
    assert METHODS.get("ytmt")(YTMTConfig()).unsupported_reason(Traits(mixing="reflection")) is None
