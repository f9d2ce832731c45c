"""No output replaces an input or a foreign file, whatever path it goes by."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from napari_bitsnet.api.export import folders
from napari_bitsnet.api.export.names import PossibleNames, possible_names
from napari_bitsnet.api.export.overwriting import check_outputs, files_of
from tests.files_there import APART, FOREIGN, READ, contents, record

NAMES = possible_names("separate", ("mix",), report=True)


def link(path: Path, kind: str, cwd: pytest.MonkeyPatch) -> Path:
    """Return another path of the same file."""
    elsewhere = path.parent.parent / f"elsewhere_{kind}.tif"
    if kind == "symlink":
        elsewhere.symlink_to(path)
    elif kind == "hard link":
        os.link(path, elsewhere)
    elif kind == "relative":
        cwd.chdir(path.parent)
        return Path(path.name)
    elif kind == "roundabout":
        return path.parent / ".." / path.parent.name / path.name
    return path if kind == "same" else elsewhere


@pytest.mark.parametrize("kind", ["same", "relative", "roundabout", "symlink", "hard link"])
@pytest.mark.parametrize("owned", [False, True])
def test_an_input_is_refused_by_any_path(tmp_path, monkeypatch, kind, owned):
    folder = tmp_path / "in"
    folder.mkdir()
    truth = folder / "mix_source_1.tif"
    truth.write_bytes(b"truth")
    if owned:  # written by an earlier run, and read by this one
        record(folder, "mix_run.json", "mix_source_1.tif")
    if kind in ("symlink", "hard link") and os.name == "nt":
        pytest.skip("links need rights on Windows")
    with pytest.raises(ValueError, match=READ):
        check_outputs(folder, NAMES, inputs=[link(truth, kind, monkeypatch)])


def test_an_input_that_two_paths_name_is_listed_once(tmp_path, monkeypatch):
    (tmp_path / "mix_source_1.tif").write_bytes(b"truth")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="Expected outputs that replace no input") as caught:
        check_outputs(tmp_path, NAMES, inputs=["mix_source_1.tif", tmp_path / "mix_source_1.tif"])
    assert str(caught.value).count("mix_source_1.tif") == 1


def test_an_output_that_is_a_link_to_an_input_is_refused(tmp_path):
    (tmp_path / "truth.tif").write_bytes(b"truth")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "mix_source_1.tif").symlink_to(tmp_path / "truth.tif")
    with pytest.raises(ValueError, match=READ):
        check_outputs(folder, NAMES, inputs=[tmp_path / "truth.tif"])


def test_a_folder_that_is_a_link_is_the_folder_it_stands_for(tmp_path):
    (tmp_path / "mix_source_1.tif").write_bytes(b"truth")
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(ValueError, match=READ):
        check_outputs(tmp_path / "link", NAMES, inputs=[tmp_path / "mix_source_1.tif"])


def test_an_input_that_an_earlier_run_of_the_batch_would_make_is_refused(tmp_path):
    with pytest.raises(ValueError, match=READ):
        check_outputs(tmp_path, NAMES, inputs=[tmp_path / "mix_source_1.tif"])


@pytest.mark.parametrize(
    ("given", "folder", "refused"),
    [
        ("series", "series", True),
        ("series", "link", True),
        ("series", "series/sub", False),  # a folder of slices is read without its subfolders
        ("series", ".", False),
        ("a.zarr", "a.zarr/sub", True),
        ("series/*.tif", "series", True),
        ("series/mi[x]_*_1.tif", "series", True),
        ("series/slice*.tif", "series", False),
        ("series/*.jpg", "series", False),
        ("series/*.tif", "series/sub", False),
        ("series/*/*.tif", "series/sub", True),
        ("**/*.tif", "series/sub", True),
    ],
)
def test_nothing_is_written_among_what_is_read(tmp_path, given, folder, refused):
    for name in ("series/sub", "a.zarr/sub"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "a.zarr" / ".zattrs").write_text("{}")
    (tmp_path / "link").symlink_to(tmp_path / "series", target_is_directory=True)
    if not refused:
        check_outputs(tmp_path / folder, NAMES, inputs=[tmp_path / given])
        return
    with pytest.raises(ValueError, match=APART) as caught:
        check_outputs(tmp_path / folder, NAMES, inputs=[tmp_path / given])
    assert f"got {tmp_path / folder} for the outputs and {tmp_path / given} to read" in str(caught.value)


@pytest.mark.parametrize("inside", ["", "sub"])
def test_nothing_is_written_into_data_of_a_training(tmp_path, inside):
    data = tmp_path / "photos"
    (data / "sub").mkdir(parents=True)
    with pytest.raises(ValueError, match=APART):
        check_outputs(data / inside, NAMES, data=[data])
    check_outputs(tmp_path, NAMES, data=[data])


@pytest.mark.parametrize(
    "name", ["mix_preview.png", "mix_run.json", "mix_report.html", "mix_features_12.tif"]
)
@pytest.mark.parametrize("what", ["file", "folder", "link to nowhere"])
def test_what_no_record_lists_is_refused(tmp_path, name, what):
    path = tmp_path / name
    if what == "file":
        path.write_text("{}")
    elif what == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=FOREIGN):
        check_outputs(tmp_path, NAMES)


@pytest.mark.parametrize("complete", [True, False])
def test_files_of_an_earlier_run_may_be_replaced(tmp_path, complete):
    (tmp_path / "mix_source_1.tif").touch()
    record(tmp_path, "mix_run.json", "mix_source_1.tif", complete=complete)
    check_outputs(tmp_path, NAMES, inputs=[tmp_path / "mix.png"])


@pytest.mark.parametrize(
    "names", ["mix.tif", "mix_back.tif", "mix_source_1.png", "mix_source_1.ome.tif", "other_source_1.tif"]
)
def test_other_names_are_left_alone(tmp_path, names):
    (tmp_path / names).touch()
    check_outputs(tmp_path, NAMES, inputs=[tmp_path / names])


def test_another_run_s_record_vouches_for_nothing(tmp_path):
    (tmp_path / "mix_source_1.tif").touch()
    record(tmp_path, "other_run.json", "mix_source_1.tif")
    with pytest.raises(ValueError, match=FOREIGN):
        check_outputs(tmp_path, NAMES)


@pytest.mark.parametrize(
    ("there", "given"),
    [("MIX_Source_1.TIF", None), ("Mix_source_1.tif", "Mix_source_1.tif"), ("me\u0301_run.json", None)],
)
def test_disks_that_ignore_case(tmp_path, monkeypatch, there, given):
    (tmp_path / there).touch()
    names = PossibleNames(("mix", "m\u00e9"), NAMES.endings)
    inputs = [] if given is None else [tmp_path / given]
    check_outputs(tmp_path, names, inputs=inputs)  # here they are files of their own
    monkeypatch.setattr(folders, "ignores_case", lambda folder: True)
    with pytest.raises(ValueError, match=READ if given else FOREIGN):
        check_outputs(tmp_path, names, inputs=inputs)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "[" * 100_000, '{"complete": 1, "files": {}}', '{"complete": true, "files": ["a"]}', "\x00"],
)
def test_what_is_no_record_vouches_for_nothing(tmp_path, content):
    (tmp_path / "mix_run.json").write_text(content)
    assert files_of(tmp_path / "mix_run.json") is None


@pytest.fixture
def result(result_of):
    mixture = np.random.default_rng(0).random((24, 32)).astype(np.float32)
    return result_of(mixture, task="denoise", outputs={"clean": mixture})


def test_result_save_replaces_no_input(result, tmp_path):
    truth = tmp_path / "a_clean.tif"
    truth.write_bytes(b"truth")
    with pytest.raises(ValueError, match=READ):
        result.save(tmp_path, "a", inputs={"mixture": [str(truth)]})
    with pytest.raises(ValueError, match=FOREIGN):
        result.save(tmp_path, "a")
    assert contents(tmp_path) == {"a_clean.tif": b"truth"}
    files = result.save(tmp_path, "b")
    assert result.save(tmp_path, "b") == files


def test_left_over_outputs_that_are_read_now_do_not_go(result, tmp_path):
    result.save(tmp_path, "a")
    content = json.loads((tmp_path / "a_run.json").read_text())
    content["files"]["more"] = "a_more.tif"  # of a run with more outputs
    (tmp_path / "a_run.json").write_text(json.dumps(content))
    (tmp_path / "a_more.tif").write_bytes(b"guide")
    with pytest.raises(ValueError, match=READ):
        result.save(tmp_path, "a", inputs={"guides": [None, str(tmp_path / "a_more.tif")]})
    assert (tmp_path / "a_more.tif").read_bytes() == b"guide"
    result.save(tmp_path, "a")
    assert not (tmp_path / "a_more.tif").exists()
