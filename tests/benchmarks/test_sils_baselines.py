"""The study of what separates the toy of `sils`: networks of the same size, nulls, losses and rows."""

import json

import pytest
import torch

from benchmarks.studies import sils_baselines as study
from napari_bitsnet.methods.sils.network import SILSNetwork
from napari_bitsnet.training.loop import generator

WIDTHS = (8, 16, 16)


def parameters(*modules):
    return sum(p.numel() for module in modules for p in module.parameters())


def test_translators_have_the_size_of_sils_in_use_and_share_the_coarsest_level():
    torch.manual_seed(0)
    network, sils = study.Translators(2, 1, WIDTHS), SILSNetwork(2, 1, WIDTHS)
    one = network.each[0]
    assert 2 * parameters(one.encoders[0], one.decoders[1]) == parameters(sils)
    assert parameters(one.encoders) < parameters(sils.encoders)
    assert one.encoders[0].levels[-1] is one.encoders[1].levels[-1]
    assert one.decoders[0].levels[0] is one.decoders[1].levels[0]
    assert one.encoders[0].levels[0] is not one.encoders[1].levels[0]
    mixture = torch.rand(2, 1, 32, 32)
    assert network(mixture).shape == sils(mixture).shape == (2, 2, 1, 32, 32)
    torch.testing.assert_close(network(mixture), network(mixture))  # without noise


@torch.no_grad()
def test_the_latent_space_has_noise_of_variance_one():
    torch.manual_seed(0)
    translator, image = study.Translator(1, WIDTHS), torch.rand(4, 1, 64, 64)
    noisy, divergence = translator.encode(0, image, generator(0, 0))
    exact = translator.encoders[0](image)
    for found, without in zip(noisy, exact, strict=True):
        assert float((found - without).var()) == pytest.approx(1, rel=0.15)
    assert float(divergence) == pytest.approx(sum(float(f.square().mean()) for f in exact) / 3, rel=1e-5)


def test_a_run_of_equal_shares_pays_for_neither_cycle_but_for_the_sums(tmp_path):
    class Halves(torch.nn.Module):
        critics = ("squares", "circles")

        def forward(self, mixture):
            return torch.stack([mixture / 2, mixture / 2], dim=1)

    layers = [torch.rand(2, 1, 32, 32) for _ in range(2)]
    mixture = torch.rand(2, 1, 32, 32)
    for name in ("cyclegan", "cyclegan_both"):
        _, trainer, settings = study.RUNS[name]
        config = study.SILSTraining(demo="shapes", **settings)
        run = trainer(config, {}, folder=tmp_path)
        loss, judged = run.generate(Halves(), mixture, layers, generator(0, 0))
        error = float((layers[0] - layers[1]).abs().mean()) / 2 if name == "cyclegan_both" else 0
        assert float(loss) == pytest.approx(10 * error, abs=1e-5)
        assert [critic for critic, _, _ in judged] == ["squares", "circles"]
        assert all(real is layer for (_, _, real), layer in zip(judged, layers, strict=True))


def test_nulls_of_two_layers():
    found = study.nulls(64)
    shares, zero, whole = (found[name] for name in ("equal shares", "zero", "the mixture for each"))
    assert shares[0] == pytest.approx(shares[1])  # (z - y)/2 and (y - z)/2
    assert zero == pytest.approx(whole[::-1])  # y and z
    assert sum(shares) < 0.6 * sum(zero)  # shapes overlap in a small part


@pytest.mark.parametrize("name", ["cyclegan", "unit"])
def test_every_part_learns(name, tmp_path):
    _, trainer, settings = study.RUNS[name]
    config = study.SILSTraining(demo="shapes", size=32, width=8, levels=2, **settings)
    run = trainer(config, {}, folder=tmp_path)
    network, (mixture, layers) = run.network(), run.images.draw(0, 1)
    loss, judged = run.generate(network, mixture, layers, generator(0, 0))
    (loss + sum(sum(study.adversarial_losses(*each)) for each in judged)).backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_a_row_has_the_error_over_that_of_equal_shares():
    row = study.measure("unit", steps=2, size=32, batch=1)
    assert [step for step, _ in row["curve"]] == [1, 2]
    assert row["curve"][0][1] != row["curve"][1][1] == row["error"]
    assert row["error"] == pytest.approx(sum(row["mse"]) / sum(study.nulls(32)["equal shares"]))


def test_runs_that_are_in_the_file_are_not_repeated(tmp_path, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(
        study,
        "measure",
        lambda name, **options: asked.append(name) or {"error": 0.5, "mse": [0.1, 0.2], "seconds": 7.0},
    )
    file = tmp_path / "rows.jsonl"
    for only in ("unit", "unit,sils"):
        monkeypatch.setattr("sys.argv", ["study", str(file), "--steps", "5", "--size", "32", "--only", only])
        study.main()
    assert asked == ["unit", "sils"]
    assert [json.loads(line)["run"] for line in file.read_text("utf-8").splitlines()] == asked
    text = capsys.readouterr().out
    assert "| UNIT-like | 5 | 7 |" in text
    assert "| null: equal shares |  |  | 1 |" in text
