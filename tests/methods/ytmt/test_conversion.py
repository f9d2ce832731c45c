"""The authors' file of weights: made here by the inverse map, from a network of the same layout and smaller
widths."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from napari_bitsnet.methods.ytmt import official
from napari_bitsnet.methods.ytmt.conversion import convert_official, official_names, vgg_names
from napari_bitsnet.methods.ytmt.official import OfficialNetwork
from napari_bitsnet.methods.ytmt.weights_file import load_weights


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Eighth part of the widths."""
    monkeypatch.setattr(official, "VGG", [c if isinstance(c, str) else c // 8 for c in official.VGG])
    monkeypatch.setattr(official, "HYPERCOLUMN", (3, 8, 16, 32, 64, 64))
    monkeypatch.setattr(official, "WIDTHS", (8, 16, 32, 64, 64))


@pytest.fixture
def network() -> OfficialNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        made = OfficialNetwork(2).eval().requires_grad_(False)
        for parameter in made.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape))
    return made


@pytest.fixture
def files(network, tmp_path) -> Callable[..., tuple[Path, Path]]:
    """Write the authors' file and VGG's, as their code would name the tensors."""

    def write(change: Callable[[dict], None] = lambda found: None, *, stages: int = 2) -> tuple[Path, Path]:
        found: dict = {"epoch": 77, "iterations": 595364}
        for key, stage in zip(("icnn", "icnn2")[:stages], network.stages, strict=False):
            tensors = stage.state_dict()
            found[key] = {old: tensors[new] for new, old in official_names().items()}
            unused = {f"inc_{k}.fusion.{kind}": torch.zeros(3) for k in (1, 2) for kind in ("weight", "bias")}
            found[key] |= unused
        change(found)
        torch.save(found, tmp_path / "ytmt.pt")
        tensors = network.vgg.state_dict()
        vgg = {old: tensors[new] for new, old in vgg_names().items()}
        vgg |= {"features.30.weight": torch.zeros(2), "classifier.0.bias": torch.zeros(2)}
        torch.save(vgg, tmp_path / "vgg.pth")
        return tmp_path / "ytmt.pt", tmp_path / "vgg.pth"

    return write


def test_the_names_are_those_of_the_authors():
    names = list(official_names().values())
    assert len(names) == len(set(names)) == 236
    assert {
        "inc_1.model.0.weight",
        "down4_2.model.3.ca.2.bias",
        "up1_1.fusion_2.weight",
        "outc_2.conv.bias",
    } <= set(names)
    assert [n for n in vgg_names().values() if n.endswith("weight")][-1] == "features.28.weight"


@pytest.mark.parametrize("stages", [1, 2])
def test_a_converted_file_gives_the_same_answer_bit_for_bit(files, network, tmp_path, stages):
    facts = convert_official(*files(stages=stages), tmp_path / "new.safetensors")
    loaded, told = load_weights(tmp_path / "new.safetensors")
    assert told == facts
    assert (told["kinds"], told["network"]["stages"]) == (["transmission", "reflection"], stages)
    assert told["source"]["weights"] == "ytmt.pt"
    assert len(told["source"]["sha256"]) == 64
    assert "Apache License 2.0" in told["licence"]
    network.stages = network.stages[:stages]
    seen = torch.rand(1, 3, 50, 35, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(loaded(seen), network(seen))
        assert float(loaded(seen).std()) > 1e-3


def test_the_convolution_of_the_hypercolumn_is_that_of_its_parts(network):
    stream = network.stages[0].streams[0]
    seen = torch.rand(1, 3, 20, 28)
    features = network.vgg(seen)
    whole = [torch.nn.functional.interpolate(f, (20, 28), mode="bilinear") for f in (seen, *features)]
    expected = stream.first_gates(stream.first(torch.cat(whole, dim=1)))
    torch.testing.assert_close(stream.begin(seen, features), expected, rtol=0, atol=1e-6)


def _without(found: dict) -> None:
    del found["icnn"]["up2_1.fusion_1.bias"]


def _other_shape(found: dict) -> None:
    found["icnn2"]["outc_1.conv.bias"] = torch.zeros(4)


def _another(found: dict) -> None:
    found["icnn"]["inc_1.model.9.weight"] = torch.zeros(4)


def _dsrnet(found: dict) -> None:
    found["weight"] = found.pop("icnn")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_without, "without up2_1.fusion_1.bias: it is damaged, or belongs to another network"),
        (_other_shape, "with outc_1.conv.bias of shape \\(4,\\) instead of \\(3,\\)"),
        (_another, "with inc_1.model.9.weight"),
        (_dsrnet, "which looks like DSRNet"),
    ],
)
def test_another_networks_file_is_refused(files, tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        convert_official(*files(change), tmp_path / "new.safetensors")
    assert not (tmp_path / "new.safetensors").exists()


def test_vggs_file_is_checked_as_well(files, tmp_path):
    weights, _ = files()
    with pytest.raises(ValueError, match="Expected the 26 tensors of VGG-19"):
        convert_official(weights, weights, tmp_path / "new.safetensors")


def test_damaged_and_pickled_files_are_refused_in_a_sentence(files, tmp_path):
    weights, vgg = files()
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="which is damaged or of another kind: copy it again"):
        convert_official(weights, vgg, tmp_path / "new.safetensors")

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    torch.save({"icnn": Evil()}, weights)
    with pytest.raises(ValueError, match="holds pickled objects and could run code: it was not read"):
        convert_official(weights, vgg, tmp_path / "new.safetensors")
    weights.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ValueError, match=r"it was not read|damaged or of another kind"):
        convert_official(weights, vgg, tmp_path / "new.safetensors")
    assert not (tmp_path / "ran").exists()
    with pytest.raises(FileNotFoundError, match=r"none.pt, which does not exist"):
        convert_official(tmp_path / "none.pt", vgg, tmp_path / "new.safetensors")


def test_the_command_converts_and_says_what_is_wrong(files, tmp_path):
    from typer.testing import CliRunner

    from napari_bitsnet.cli.app import build_app

    weights, vgg = (str(path) for path in files())
    command = ["convert-weights", weights, "--vgg", vgg, "-o", str(tmp_path / "new.safetensors")]
    done = CliRunner().invoke(build_app(), command)
    assert done.exit_code == 0, done.output
    assert "Apache License 2.0" in " ".join(done.output.split())
    assert load_weights(tmp_path / "new.safetensors")[1]["method"] == "ytmt"
    wrong = CliRunner().invoke(
        build_app(), ["convert-weights", vgg, "--vgg", vgg, "-o", str(tmp_path / "b.safetensors")]
    )
    assert wrong.exit_code == 2
    assert "Expected the YTMT authors' file" in " ".join(wrong.output.split())
