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


def test_missing_file(tmp_path):
    with pytest.raises(ValueError, match=r"Expected the record of a run, got .*no\.json \(No such file"):
        read_record(tmp_path / "no.json")


def test_settings_of_another_version():
    with pytest.raises(ValueError, match=r"Expected a record of this version, got other settings \(warp"):
        recorded_settings({"settings": {"warp": 9}})
