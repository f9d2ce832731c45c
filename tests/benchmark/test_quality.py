"""The benchmark on small cases: references, resuming, tables, pictures."""

import json

import numpy as np
import pytest

from napari_bitsnet.benchmark.case import half_and_half, two_mixtures
from napari_bitsnet.benchmark.folder import SET_PAIRS, folder_cases
from napari_bitsnet.benchmark.quality import load_rows, measure, parse_contender, reference_rows
from napari_bitsnet.benchmark.run import Plan, run_benchmark
from napari_bitsnet.benchmark.tables import markdown, paired, to_csv
from napari_bitsnet.data.photographs import bundled_photograph

WEIGHTS = np.array([[0.72, 0.28], [0.45, 0.55]])


@pytest.fixture(scope="module")
def pair():
    return [bundled_photograph(name, 64) for name in ("astronaut", "coffee")]


@pytest.fixture(scope="module")
def mixed(pair):
    return two_mixtures("a + c", "two mixtures", pair, WEIGHTS)


def test_the_mixture_gains_nothing_and_truth_everything(pair):
    case = half_and_half("a + c", "blind", *pair)
    null, empty = reference_rows(case)
    assert null["gain"] == pytest.approx(0, abs=1e-9)
    assert null["gain_offset_free"] == pytest.approx(0, abs=1e-9)
    assert null["crosstalk"] == pytest.approx(1, abs=1e-6)
    assert empty["contender"] == "null: best empty answer"
    assert 0 < empty["gain"] < 1.5


def test_the_null_of_several_mixtures_is_their_mean(mixed):
    null, _, ceiling = reference_rows(mixed)
    assert null["gain"] == pytest.approx(0, abs=1e-9)
    assert ceiling["contender"] == "ceiling"
    assert ceiling["gain"] > 15


def test_rows_are_measured_once_and_found_again(mixed, tmp_path):
    file = tmp_path / "rows.jsonl"
    first = list(measure([mixed], ["ica"], file))
    assert [row["contender"] for row, _, _ in first][-1] == "ica"
    assert first[-1][2] is not None
    with file.open("a") as handle:
        handle.write('{"group": "cut o')
    again = list(measure([mixed], ["ica"], file))
    assert again[-1][2] is None
    assert again[-1][0] == first[-1][0]
    assert len(load_rows(file)) == 4


def test_what_a_method_does_not_support_is_left_out(mixed, tmp_path):
    rows = [row for row, _, _ in measure([mixed], ["regression"], tmp_path / "rows.jsonl")]
    assert all(row["contender"].startswith(("null", "ceiling")) for row in rows)


def test_a_plan_writes_tables_and_pictures(tmp_path):
    plan = Plan(["ica"], groups=["two mixtures, easy weights"], size=48, n=1)
    shown = []
    table = run_benchmark(plan, tmp_path, show=shown.append)
    text = table.read_text("utf-8")
    assert "| ica |" in text
    assert "null: mixture" in text
    assert "ceiling" in text
    assert plan.command() in text
    cases = {(row["group"], row["case"]) for row in shown}
    assert len(list((tmp_path / "sheets").glob("*.png"))) == len(cases) > 0
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert len(to_csv(rows).splitlines()) == len(rows) + 1


def test_tables_put_nulls_first_and_ceilings_last():
    base = {"group": "g", "case": "c", "psnr": 1.0, "ssim": 0.5, "psnr_offset_free": 1.0, "gain": 0.0}
    base |= {"ssim_gain": 0.0, "crosstalk": 0.0}
    rows = [
        {**base, "contender": name, "seed": 0, "gain_offset_free": gain}
        for name, gain in (("ceiling", 9.0), ("good", 5.0), ("bad", -1.0), ("null: mixture", 0.0))
    ]
    names = [line.split("|")[1].strip() for line in markdown(rows).splitlines()[4:]]
    assert names == ["null: mixture", "bad", "good", "ceiling"]
    mean, low, high = paired(rows, "good", "bad", "g")
    assert (mean, low, high) == (6.0, 6.0, 6.0)
    with pytest.raises(ValueError, match="cases that both"):
        paired(rows, "good", "absent", "g")


def test_contenders_and_absent_folders(tmp_path):
    quick = {"method": "bitsnet", "preset": "quick"}
    assert parse_contender("bitsnet:quick") == {**quick, "settings": {}}
    assert parse_contender("ica") == {"method": "ica", "preset": "balanced", "settings": {}}
    assert parse_contender("bitsnet:quick@n_seeds=4@start=none@lam=0.1") == {
        **quick,
        "n_seeds": 4,
        "settings": {"start": "none", "lam": 0.1},
    }
    with pytest.raises(FileNotFoundError, match="which is absent"):
        next(folder_cases(tmp_path / "nothing"))
    assert list(folder_cases(tmp_path)) == []


def test_a_folder_of_images_becomes_cases(tmp_path):
    from skimage.io import imsave

    def image(seed: int) -> np.ndarray:
        return np.random.default_rng(seed).integers(0, 255, (40, 44, 3), dtype=np.uint8)

    for folder in ("set5", "set14", "reflection", "double_dip", "photos", "xray"):
        (tmp_path / folder).mkdir()
    for i, name in enumerate(sorted({name for pair in SET_PAIRS for name in pair})):
        imsave(tmp_path / f"{name}.png", image(i), check_contrast=False)
    parts = [image(1) // 2, image(2) // 2]
    for kind, array in zip(("mixture", "transmission", "reflection"), (sum(parts), *parts), strict=True):
        imsave(tmp_path / "reflection" / f"a_{kind}.png", array, check_contrast=False)
    for k in (12, 16):
        imsave(tmp_path / "double_dip" / f"texture{k}.png", image(k), check_contrast=False)
    for k in range(2):
        imsave(tmp_path / "xray" / f"chest{k}.png", image(k)[..., 0], check_contrast=False)

    cases = [make() for _, make in folder_cases(tmp_path, size=32, n=2)]
    groups = {case.group for case in cases}
    assert {"reflections", "textures", "blind, Set5 + Set14", "blind, Set5 + Set14, grey"} < groups
    assert not any("reserved" in group for group in groups)
    blind = [case for case in cases if case.group == "blind, Set5 + Set14"]
    assert blind[0].name == "baby + bird"
    assert len(blind) == 10
    for case in cases:
        if case.shares:
            np.testing.assert_allclose(case.truths.sum(axis=0), case.null, atol=1e-4 * np.ptp(case.null))
        assert reference_rows(case)[0]["gain"] == pytest.approx(0, abs=1e-6)


def test_a_resumed_run_keeps_what_one_gains_by_choosing(tmp_path):
    photographs = np.random.default_rng(0).random((2, 64, 64, 3)).astype(np.float32)
    case = half_and_half("noise", "blind", *photographs)
    first, again = (
        [row for row, *_ in measure([case], ["feedforward"], tmp_path / "rows.jsonl")] for _ in range(2)
    )
    names = [row["contender"] for row in first]
    assert names[-2:] == ["feedforward", "feedforward: best of 4 (knows the truth)"]
    assert [row["contender"] for row in again] == names
    assert again[-1]["gain_offset_free"] == first[-1]["gain_offset_free"] >= first[-2]["gain_offset_free"]
