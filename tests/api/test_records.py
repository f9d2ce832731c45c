"""Records read back: settings of the run, and what is wrong with other files."""

import json

import pytest

from napari_bitsnet.api import RunSettings
from napari_bitsnet.api.records import read_record, recorded_settings

SETTINGS = RunSettings(task="separate", options={"n_sources": 3}, preset="quick", seed=4, seconds=9.0)


def record(**more):
    return {
        "settings": SETTINGS.model_dump(mode="json"),
        "iterations": 37,
        "stop_reason": "iterations",
    } | more


def test_settings_come_back(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps(record()))
    assert recorded_settings(read_record(tmp_path / "run.json")) == SETTINGS


@pytest.mark.parametrize("reason", ["stopped", "time"])
def test_a_run_that_was_cut_short_is_repeated_up_to_there(reason):
    settings = recorded_settings(record(stop_reason=reason))
    assert (settings.iterations, settings.seconds) == (37, None)
    assert recorded_settings(record(stop_reason=reason, planes=5)) == SETTINGS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "{broken",
            "Expected the record of a run as JSON, got .*: name the run.json that an earlier run wrote",
        ),
        ("[]", 'Expected the record of a run with "settings", got .* without'),
        ('{"settings": 3}', 'Expected the record of a run with "settings"'),
    ],
)
def test_other_files(tmp_path, text, message):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_record(tmp_path / "run.json")


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"inputs": 5}, r"inputs: Input should be a valid dictionary.*\(got 5\)"),
        ({"inputs": []}, "inputs: Input should be a valid dictionary"),
        (
            {"inputs": {"mixture": "mix.png"}},
            r"inputs.mixture: Input should be a valid list \(got 'mix.png'\)",
        ),
        ({"inputs": {"mixture": [3]}}, r"inputs.mixture.0: Input should be a valid string \(got 3\)"),
        ({"inputs": {"mixture": [None]}}, "inputs.mixture.0: Input should be a valid string"),
        ({"inputs": {"mixture": [""]}}, "inputs.mixture.0: String should have at least 1 character"),
        ({"inputs": {"mixture": ["a\x00.png"]}}, "inputs.mixture.0: String should match pattern"),
        ({"inputs": {"guides": [3]}}, "inputs.guides.0: Input should be a valid string"),
        ({"inputs": {"guides": {"a": "b"}}}, "inputs.guides: Input should be a valid list"),
        ({"inputs": {"hints": ["a"]}}, "inputs.hints: Input should be a valid string"),
        ({"inputs": {"mask": True}}, "inputs.mask: Input should be a valid string"),
        ({"inputs": {"contents": [1]}}, "inputs.contents: Input should be a valid dictionary"),
        ({"inputs": {"contents": {"a": 1}}}, "inputs.contents.a: Input should be a valid string"),
        ({"iterations": "many"}, "iterations: Input should be a valid integer"),
        ({"iterations": -1}, "iterations: Input should be greater than or equal to 0"),
        ({"stop_reason": 3}, "stop_reason: Input should be a valid string"),
        ({"planes": [4]}, "planes: Input should be a valid integer"),
        ({"candidate": 0}, "candidate: Input should be greater than or equal to 1"),
        ({"complete": "yes"}, "complete: Input should be a valid boolean"),
    ],
)
def test_records_that_were_edited_by_hand(tmp_path, part, message):
    path = tmp_path / "run.json"
    path.write_text(json.dumps(record(**part)))
    with pytest.raises(
        ValueError,
        match=f"^Expected the record of a run as it was written, got .* with {message}.*name the run.json",
    ):
        read_record(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings_of_editors(tmp_path, encoding):
    given = record(inputs={"mixture": ["gemälde.tif"]})
    (tmp_path / "run.json").write_bytes(json.dumps(given, ensure_ascii=False).encode(encoding))
    found = read_record(tmp_path / "run.json")
    assert recorded_settings(found) == SETTINGS
    assert found["inputs"]["mixture"] == ["gemälde.tif"]
    assert found["inputs"]["guides"] == []


def test_what_is_not_needed_is_kept(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps(record(inputs=None, software={"torch": "2"}, i0=None)))
    found = read_record(tmp_path / "run.json")
    assert (found["software"], found["inputs"]["mixture"]) == ({"torch": "2"}, [])


def test_nesting_that_no_reader_follows(tmp_path):
    (tmp_path / "run.json").write_text("[" * 200_000)
    with pytest.raises(ValueError, match="Expected the record of a run as JSON"):
        read_record(tmp_path / "run.json")


def test_missing_file(tmp_path):
    with pytest.raises(ValueError, match=r"Expected the record of a run, got .*no\.json \(No such file"):
        read_record(tmp_path / "no.json")


def test_settings_of_another_version():
    with pytest.raises(ValueError, match=r"Expected a record of this version, got other settings \(warp"):
        recorded_settings({"settings": {"warp": 9}})
