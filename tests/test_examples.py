"""The examples of CONTRIBUTING.md do as a package of their own what they say: each is one file, found by its
entry point."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from napari_bitsnet.core.denoisers import DENOISERS
from napari_bitsnet.io.readers import READERS
from napari_bitsnet.io.writers import WRITERS
from napari_bitsnet.methods import METHODS
from napari_bitsnet.tasks import TASKS
from napari_bitsnet.training.protocol import TRAINERS

PAGE = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
REGISTRIES = (METHODS, TASKS, DENOISERS, READERS, WRITERS, TRAINERS)


@pytest.fixture(autouse=True, scope="module")
def installed(tmp_path_factory):
    """Install the package of the page: its files, and its entry points."""
    place = tmp_path_factory.mktemp("site")
    (place / "my_package").mkdir()
    (place / "my_package" / "__init__.py").write_text("")
    for name, code in re.findall(r"```python\n# my_package/(\w+\.py)\n(.*?)```", PAGE, re.DOTALL):
        (place / "my_package" / name).write_text(code, encoding="utf-8")
    toml = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    groups = tomllib.loads(toml[1])["project"]["entry-points"]
    lines = [
        line
        for group, points in groups.items()
        for line in (f"[{group}]", *(f"{name} = {value}" for name, value in points.items()))
    ]
    record = place / "my_package-1.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (record / "entry_points.txt").write_text("\n".join(lines))
    assert {registry.group for registry in REGISTRIES} == set(groups)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(place)
        for registry in REGISTRIES:
            patch.setattr(registry, "_external", None)
        yield
    for registry in REGISTRIES:
        for name in groups[registry.group]:
            registry._entries.pop(name, None)


@pytest.fixture
def picture() -> np.ndarray:
    y, x = np.mgrid[:48, :48] / 48
    return (0.4 + 0.3 * ((x - 0.5) ** 2 + (y - 0.5) ** 2 < 0.1) + 0.2 * y).astype(np.float32)


def test_the_method_separates(picture):
    import napari_bitsnet as nb

    assert "smooth_and_detail" in METHODS.names()
    result = nb.separate(picture, method="smooth_and_detail", settings={"width": 2.0}, device="cpu")
    np.testing.assert_allclose(np.sum(result.sources, axis=0), picture, atol=1e-5)
    smooth, detail = (np.abs(np.diff(source, axis=1)).max() for source in result.sources)
    assert smooth < 0.25 * np.abs(np.diff(picture, axis=1)).max() < detail


def test_the_task_removes_speckle(picture):
    import napari_bitsnet as nb

    noisy = picture * np.exp(np.random.default_rng(0).normal(0, 0.1, picture.shape)).astype(np.float32)
    result = nb.run("speckle", noisy, preset="quick", device="cpu")
    error = np.sqrt(np.mean((np.asarray(result.outputs["clean"]) - picture) ** 2))
    assert error < 0.5 * np.sqrt(np.mean((noisy - picture) ** 2))
    with pytest.raises(ValueError, match="Expected an image above zero"):
        nb.run("speckle", noisy - 1, device="cpu")


def test_the_denoiser_denoises(picture):
    median = DENOISERS.get("median")
    clean = torch.from_numpy(picture)[None, None].expand(2, 3, -1, -1)
    noisy = clean + 0.1 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    assert torch.equal(median(noisy, 0.0), noisy)
    assert (median(noisy, 0.1) - clean).square().mean() < 0.5 * (noisy - clean).square().mean()
    assert torch.equal(median(torch.full((1, 1, 4, 5), 0.3), 0.1), torch.full((1, 1, 4, 5), 0.3))


@pytest.mark.parametrize("largest", [255, 65535])
def test_the_format_is_read(tmp_path, largest):
    from napari_bitsnet.io.read import read_image

    pixels = (
        np.random.default_rng(0).integers(0, largest + 1, (5, 7)).astype("u1" if largest < 256 else ">u2")
    )
    path = tmp_path / "image.pgm"
    path.write_bytes(b"P5\n7 5\n%d\n" % largest + pixels.tobytes())
    np.testing.assert_array_equal(read_image(path).array, pixels)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ValueError, match=r"image\.pgm"):
        read_image(path)


def test_the_format_is_written(tmp_path, picture):
    import napari_bitsnet as nb

    path = nb.save(tmp_path / "a.npz", picture, record={"task": "denoise"})
    with np.load(path) as written:
        np.testing.assert_array_equal(written["image"], picture)
        assert (str(written["axes"]), str(written["record"])) == ("YX", '{"task": "denoise"}')
    result = nb.run("denoise", picture, method="nl_bayes", device="cpu")
    assert result.save(tmp_path / "out", "scan", format="npz")[0].name == "scan_clean.npz"


def test_the_trainer_trains_from_the_command_line(tmp_path):
    from PIL import Image

    from napari_bitsnet.cli.train import build_train_app
    from napari_bitsnet.data.procedural import procedural_images

    (tmp_path / "photos").mkdir()
    pictures = procedural_images(3, 80, seed=5)
    for k in range(3):
        Image.fromarray(np.asarray(pictures[k])).save(tmp_path / "photos" / f"{k}.png")
    output = tmp_path / "noise.safetensors"
    arguments = ["noise", str(tmp_path / "photos"), "-o", str(output), "--device", "cpu", "--sigma", "0.2"]
    arguments += [
        "--steps",
        "150",
        "--rate",
        "0.02",
        "--averaging",
        "0.9",
        "--validate-every",
        "50",
        "--batch",
        "4",
    ]
    result = CliRunner().invoke(build_train_app(), arguments)
    assert result.exit_code == 0, result.output
    trainer = TRAINERS.get("noise")(TRAINERS.get("noise").Config(), {}, folder=tmp_path)
    assert trainer.load(output) is not None
    rows = (tmp_path / "noise" / "losses.csv").read_text().splitlines()
    assert rows[0].endswith("held-out error")
    assert float(rows[-1].rsplit(",")[-1]) < 0.7  # 1 for a network that finds no noise
