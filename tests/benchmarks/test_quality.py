"""The benchmark on small cases: references, resuming, tables, pictures."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.quality.cases.folder import SET_PAIRS, folder_cases
from benchmarks.quality.measure import load_rows, measure, parse_contender, reference_rows
from benchmarks.quality.paired import differences, differences_table
from benchmarks.quality.plan import Plan, run_benchmark
from benchmarks.quality.tables import markdown, to_csv
from napari_bitsnet.data.case_makers import half_and_half, two_mixtures
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


@pytest.mark.parametrize(("bits", "dtype"), [(8, np.uint8), (16, np.uint16)])
def test_mixtures_are_rounded_to_a_depth(pair, bits, dtype):
    case = two_mixtures("a + c", "two mixtures", pair, WEIGHTS, bits=bits)
    assert case.mixture.dtype == dtype
    highest = 2**bits - 1
    exact = np.tensordot(WEIGHTS, case.truths.astype(np.float64), axes=1)
    assert np.abs(case.mixture - exact).max() <= 0.5 + 0.01  # truths are float32
    assert (case.hi, np.iinfo(dtype).max) == (highest, highest)
    if bits == 16:  # rounding is what the ceiling loses: 8 bits fewer are 48 dB
        coarse = two_mixtures("a + c", "two mixtures", pair, WEIGHTS)
        found = [reference_rows(each)[-1]["psnr"] for each in (coarse, case)]
        assert found[1] - found[0] == pytest.approx(20 * np.log10(257), abs=1.5)


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
    assert first[-1][0]["iterations"] == first[-1][2].provenance["iterations"]


def test_what_a_method_does_not_support_is_left_out(mixed, tmp_path):
    rows = [row for row, _, _ in measure([mixed], ["guided_regression"], tmp_path / "rows.jsonl")]
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


def _rows(gains, *, group="g"):
    """Rows as `measure` yields them, from {contender: {case: [gain of each seed]}}."""
    base = {
        "psnr": 1.0,
        "ssim": 0.5,
        "psnr_offset_free": 1.0,
        "gain": 0.0,
        "ssim_gain": 0.0,
        "crosstalk": 0.0,
    }
    return [
        {
            **base,
            "group": group,
            "case": case,
            "contender": name,
            "seed": seed,
            "gain_offset_free": gain,
        }
        for name, cases in gains.items()
        for case, values in cases.items()
        for seed, gain in enumerate(values)
    ]


def test_tables_put_nulls_first_and_ceilings_last():
    rows = _rows({name: {"c": [g]} for name, g in (("ceiling", 9.0), ("good", 5.0), ("bad", -1.0))})
    rows += _rows({"null: mixture": {"c": [0.0]}})
    table, compared = markdown(rows).rstrip().split("\n\n")[1:]
    names = [line.split("|")[1].strip() for line in table.splitlines()[2:]]
    assert names == ["null: mixture", "bad", "good", "ceiling"]
    assert compared.splitlines()[2:] == ["| good − bad | 1 | **+6.00** |  | 1 of 1 |"]


def test_contenders_are_compared_on_the_cases_that_both_solved():
    rows = _rows(
        {
            "a": {"1": [1.0, 3.0], "2": [2.0, 2.0], "3": [5.0, 5.0]},
            "b": {"1": [1.0], "2": [4.0], "9": [-30.0]},
            "a: best of 4 (knows the truth)": {"1": [8.0]},
            "null: mixture": {"1": [0.0], "2": [0.0]},
            "ceiling": {"1": [9.0], "2": [9.0]},
        }
    )
    (found,) = differences([*rows, *_rows({"c": {"1": [0.0]}}, group="alone")])
    assert (found["first"], found["second"], found["n"], found["wins"]) == ("a", "b", 2, 1)
    assert found["mean"] == pytest.approx(np.mean([2.0 - 1.0, 2.0 - 4.0]))  # seeds averaged within a case
    assert (found["low"], found["high"]) == (-2.0, 1.0)
    assert differences_table(rows).splitlines()[2:] == ["| a − b | 2 | **-0.50** | -2.00 … +1.00 | 1 of 2 |"]
    assert differences_table(_rows({"a": {"1": [0.0]}, "b": {"2": [1.0]}})) == ""


def test_paired_differences_are_written_where_two_contenders_solved_the_same(tmp_path):
    plan = Plan(["ica", "ica:quick"], groups=["two mixtures, easy weights, 16"], size=48, n=1)
    text = run_benchmark(plan, tmp_path, sheets=False, show=lambda row: None).read_text("utf-8")
    (row,) = csv.DictReader((tmp_path / "paired.csv").open())
    assert row["n"] == "4"
    line = f"| {row['first']} − {row['second']} | 4 | **{float(row['mean']):+.2f}** |"
    assert line in text
    assert {row["first"], row["second"]} == {"ica", "ica:quick"}
    run_benchmark(replace(plan, contenders=["ica"]), tmp_path, sheets=False, show=lambda row: None)
    assert not (tmp_path / "paired.csv").exists()


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
    toy = "chest X-rays in optical density (toy)"
    scribbled = next(case for case in cases if case.group == f"{toy}, 20 scribbles")
    assert set(np.unique(scribbled.hints)) <= {0, 1, 2}
    assert scribbled.hints.any()
    assert next(case for case in cases if case.group == toy).hints is None
    depths = {case.mixture.dtype for case in cases if "16 bits" in case.group}
    assert depths == {np.dtype(np.uint16)}
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
