"""Every snippet of the README and of the tutorials runs as it is written, and every command has options that
exist."""

from __future__ import annotations

import itertools
import re
import shlex
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tifffile
from typer.main import get_command

import napari_bitsnet
from napari_bitsnet.api.demo import demo_cases, write_inputs
from napari_bitsnet.cli.app import build_app
from napari_bitsnet.methods import METHODS
from napari_bitsnet.tasks import TASKS
from tests.panels import shared_panel
from tests.presets import make_all_quick

PROJECT = Path(__file__).resolve().parent.parent
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs" / "tutorials").glob("*.md"))]
TEXTS = {
    page: page.read_text(encoding="utf-8") for page in [*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md")]
}
COMMANDS = sorted(
    {
        line.strip()
        for text in TEXTS.values()
        for block in re.findall(r"^```bash\n(.*?)^```", text.replace("\\\n", " "), re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
        if line.strip().startswith("napari-bitsnet ")
    }
)


def blocks(page: Path) -> list[str]:
    """Return the Python code on a page, with images as small as a test can afford."""
    found = re.findall(r"^```python\n(.*?)^```", TEXTS[page], re.MULTILINE | re.DOTALL)
    return [block.replace("256", "64") for block in found]


def inputs() -> dict[str, Any]:
    """Return what the pages take for given: images under the names that they use."""
    rng = np.random.default_rng(4)
    coarse = rng.integers(20, 236, (8, 6, 10, 3), dtype=np.uint8)
    pictures = np.kron(coarse, np.ones((1, 32, 32, 1), np.uint8))  # (8, 192, 320, 3)
    both = shared_panel(3, 64)
    mark = np.zeros((192, 320, 1))
    mark[130:170, 90:150] = 0.5
    marked = np.round((1 - mark) * pictures + mark * 255).astype(np.uint8)
    small = pictures[:, :48, :64]
    labels = np.zeros((48, 64), int)
    labels[4:8, 4:30], labels[40:44, 34:60] = 1, 2
    stack = small[:3].mean(axis=-1)
    return {
        "xray": both.mixture,
        "front": both.guides[0],
        "back": both.guides[1],
        "mixture": (small[0] // 2 + small[1] // 2),
        "image": small[0],
        "labels": labels,
        "missing": labels > 0,
        "saliency": (labels == 1).astype(float),
        "film": small[:3],
        "first": np.round(small[0] * 0.7 + small[1] * 0.3).astype(np.uint8),
        "second": np.round(small[0] * 0.4 + small[1] * 0.6).astype(np.uint8),
        "marked": marked,
        "box": (120, 60, 180, 200),
        "stack": stack,
        **dict.fromkeys(("t2_upper", "upper"), small[3:6].mean(axis=-1)),
        **dict.fromkeys(("t2_lower", "lower"), small[5:8].mean(axis=-1)),
        "viewer": SimpleNamespace(add_image=lambda image: image),
    }


@pytest.mark.filterwarnings("ignore::UserWarning")  # tiny images are hardly separable, and runs say so
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda page: page.stem)
def test_the_python_code_of_a_page_runs(page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    make_all_quick(monkeypatch)
    names = {"nb": napari_bitsnet, **inputs()}
    if page.stem == "watermark":
        names |= {"first": names["marked"][0], "second": names["marked"][1], "third": names["marked"][2]}
        names |= {"image": names["marked"][0], "images": list(names["marked"][:3])}
    if page.stem == "mri_stack":
        import dask.array as da

        da.from_array(names["stack"], chunks=(1, -1, -1)).to_zarr("mixed.zarr")
    weights = Path(napari_bitsnet.__file__).parent / "weights" / "feedforward.safetensors"
    shutil.copy(weights, "mine.safetensors")
    if page.stem == "own_kinds":
        _write_cells("cells.safetensors")
    for name, level in (("flat", 65000), ("dark", 100)):
        tifffile.imwrite(f"{name}.tif", np.full(names["xray"].shape, level, np.uint16))
    for block in blocks(page):
        exec(compile(block, page.name, "exec"), names)
    answers = [value for value in names.values() if isinstance(value, napari_bitsnet.Result)]
    assert answers
    for answer in answers:
        assert all(np.isfinite(output).any() for output in answer.outputs.values())


def _write_cells(name: str) -> None:
    """Write untrained weights for two kinds of images."""
    from napari_bitsnet.core.networks.weights import save_tensors
    from napari_bitsnet.methods.ytmt.network import YTMTNetwork

    network = YTMTNetwork(widths=(8, 16), stem=2, channels=1, whole=False)
    facts = {"method": "ytmt", "network": network.sizes, "kinds": ["nuclei", "fibres"], "mixing": "linear"}
    save_tensors(Path(name), network.state_dict(), {**facts, "hypercolumn": None})


def default_method(task: str, n_guides: int) -> str:
    """Return the method of a command that names none."""
    task_class = TASKS.get(task.replace("-", "_"))
    made = task_class(task_class.Config())
    return made.default_method(made.traits(n_observations=1, n_guides=n_guides, has_hints=False))


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_has_options_and_settings_that_exist(line: str):
    _, name, *words = shlex.split(line, comments=True)
    command = get_command(build_app()).commands[name]
    if hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
    assert {word for word in words if re.match("--?[a-z]", word)} <= known
    values = dict(itertools.pairwise(words))
    if name == "list" and words:
        assert words[0] in METHODS
    if "--method" in values:
        assert values["--method"] in METHODS
        assert values.get("--preset", "quick") in METHODS.get(values["--method"]).presets
    if "--set" in values:
        method = METHODS.get(values.get("--method") or default_method(name, words.count("--guide")))
        assert values["--set"].partition("=")[0] in method.Config.model_fields
    if "--axes" in values:
        assert set(values["--axes"]) <= set("TZYXC")
    if name.replace("-", "_") in TASKS:
        assert {"-o", "--out"} & set(words)


def test_the_commands_of_the_readme_use_files_that_the_demo_writes(tmp_path: Path):
    written = set()
    for case in demo_cases(64):
        paths = write_inputs(case, tmp_path)
        written |= {Path(path).name for path in (*paths["mixture"], *paths["guides"]) if path}
    named = set(re.findall(r"bitsnet-demo/([\w.]+)", TEXTS[PROJECT / "README.md"]))
    assert named
    assert named <= written


def test_functions_on_the_page_of_equations_are_there():
    page = TEXTS[PROJECT / "docs" / "concepts" / "notation.md"]
    found = re.findall(r"`([\w/]+\.py)`: ((?:`\w+`(?:, )?)+)", page)
    assert len(found) > 10
    for path, functions in found:
        code = (PROJECT / "src" / "napari_bitsnet" / path).read_text(encoding="utf-8")
        for function in re.findall(r"\w+", functions):
            assert re.search(rf"^(?:def|class) {function}\b", code, re.MULTILINE), f"{function} in {path}"
