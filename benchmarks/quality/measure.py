"""Run methods and presets on cases with several seeds; each row of scores is one line of JSON, so that a long
run resumes."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.memory import PeakMemory
from benchmarks.quality.cases.films import flicker
from benchmarks.quality.statistics import crosstalk, overlap
from napari_bitsnet.api import Result, run
from napari_bitsnet.api.settings import RunSettings
from napari_bitsnet.data.case import Case

Row = dict[str, Any]
BEST_OF = ": best of "
"""Follows the contender's name in the row of an oracle that picks the best of several answers by the truth.
"""
COLUMNS = ("psnr", "ssim", "psnr_offset_free", "gain", "gain_offset_free")


def parse_contender(text: str) -> dict[str, Any]:
    """Read ``method``, ``method:preset`` or ``method:preset@name=value@…`` as arguments of `run`.

    The preset defaults to balanced. Names are those of the run (``iterations``, ``n_seeds`` …) or of the
    method's settings.
    """
    words, *changes = text.split("@")
    method, _, preset = words.partition(":")
    given = dict(change.partition("=")[::2] for change in changes)
    values = {name: _value(text) for name, text in given.items()}
    return {
        "method": method,
        "preset": preset or "balanced",
        "settings": {n: v for n, v in values.items() if n not in RunSettings.model_fields},
        **{n: v for n, v in values.items() if n in RunSettings.model_fields},
    }


def _value(text: str) -> Any:
    """Read a number, true, false or a list as in JSON; anything else stays text."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def measure(
    cases: Iterable[Case],
    contenders: Sequence[str],
    rows_file: Path,
    *,
    seeds: Sequence[int] = (0,),
    device: str = "auto",
) -> Iterator[tuple[Row, Case, Result | None]]:
    """Run every contender that supports a case and append its row to `rows_file`.

    Parameters
    ----------
    cases : iterable of Case
        Read one after another; only one is in memory.
    contenders : sequence of str
        See `parse_contender`; ``"auto"`` is the method that the task chooses.
    rows_file : Path
        One JSON object a line. Rows that are there already are not measured again.
    seeds : sequence of int
        One run each.
    device : str
        As in `napari_bitsnet.run`.

    Yields
    ------
    tuple of Row, Case, Result or None
        Null and ceiling rows have no result; rows found in the file are yielded without one.
    """
    known = {_key(row): row for row in load_rows(rows_file)}
    rows_file.parent.mkdir(parents=True, exist_ok=True)
    for case in cases:
        for row in reference_rows(case):
            if _key(row) not in known:
                _append(rows_file, row)
            yield row, case, None
        for name, compute in case.baselines.items():
            row = {"group": case.group, "case": case.name, "contender": name, "seed": None}
            if _key(row) not in known:
                row |= score_row(case, compute())
                _append(rows_file, row)
            yield known.get(_key(row), row), case, None
        for contender in contenders:
            for seed in seeds:
                row = {"group": case.group, "case": case.name, "contender": contender, "seed": seed}
                if _key(row) in known:
                    beside = (case.group, case.name, seed)
                    for found in known.values():
                        same = (found["group"], found["case"], found["seed"]) == beside
                        if same and found["contender"].partition(BEST_OF)[0] == contender:
                            yield found, case, None
                    continue
                outcome = _run(case, contender, seed, device)
                if outcome is None:
                    continue
                result, spent = outcome
                row |= score_row(case, case.answer(result))
                row |= {**spent, "warned": bool(result.warnings)}
                if "confidence" in result.outputs:
                    row["confidence"] = float(np.nanmean(result.outputs["confidence"]))
                _append(rows_file, row)
                yield row, case, result
                chosen = _best_candidate(case, row, result)
                if chosen is not None:
                    _append(rows_file, chosen)
                    yield chosen, case, None


def reference_rows(case: Case) -> list[Row]:
    """Score the mixture as the answer, the best empty answer and, where it is known, the ceiling."""
    base = {"group": case.group, "case": case.name, "seed": None}
    return [{**base, "contender": name, **score_row(case, made)} for name, made in case.references().items()]


def score_row(case: Case, sources: NDArray) -> Row:
    """Return the scores of one answer: means over sources, with crosstalk."""
    scores = case.score(sources)
    ordered = sources[scores["assignment"]]
    masks = case.truths.dtype == bool
    return {
        **({"iou": overlap(ordered, case.truths)} if masks else {}),
        **{name: scores[f"mean_{name}"] for name in COLUMNS},
        **({"both_above": float(min(scores["gain_offset_free"]) > 0)} if case.task == "separate" else {}),
        "ssim_gain": scores["mean_ssim"] - scores["mean_ssim_mixture"],
        **({"flicker": len(sources) * flicker(ordered, case.truths)} if case.is_film else {}),
        "crosstalk": float(np.mean(crosstalk(ordered, case.truths))),
    }


def load_rows(path: Path) -> list[Row]:
    """Return the rows measured so far; a last line cut off by a crash is left out."""
    rows = []
    for line in path.read_text("utf-8").splitlines() if path.is_file() else []:
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return rows


def _run(case: Case, contender: str, seed: int, device: str) -> tuple[Result, Row] | None:
    """Run one contender, returning its cost as well, or None where it does not support the case."""
    with warnings.catch_warnings(), PeakMemory(device) as memory:
        warnings.simplefilter("ignore")
        began, began_processor = time.perf_counter(), time.process_time()
        try:
            options = {**case.options, **parse_contender(contender), "seed": seed, "device": device}
            result = _frame_by_frame(case, options) if case.apart else _whole(case, options)
        except ValueError as error:
            if "cannot solve this" in str(error):
                return None
            raise
        spent = {
            "seconds": time.perf_counter() - began,
            "processor_seconds": time.process_time() - began_processor,
            "iterations": result.provenance.get("iterations"),
        }
    if case.task == "separate":
        _ = result.candidates  # made from the state, which goes now; not part of the time
    result.drop_state()
    return result, {**spent, "peak_mib": memory.mib}


def _best_candidate(case: Case, row: Row, result: Result) -> Row | None:
    """Return the row of an oracle that picks the best of the answer and its candidates by the truth."""
    if not result.candidates:
        return None
    scored = [row, *(row | score_row(case, sources) for sources in result.candidates)]
    best = max(scored, key=lambda each: each["gain_offset_free"])
    return {**best, "contender": f"{row['contender']}{BEST_OF}{len(scored)} (knows the truth)"}


def _whole(case: Case, options: dict[str, Any]) -> Result:
    return run(case.task, case.mixture, guides=case.guides, hints=case.hints, mask=case.mask, **options)


def _frame_by_frame(case: Case, options: dict[str, Any]) -> Result:
    """Run every frame of a film by itself and stack the answers."""
    options = {name: value for name, value in options.items() if name != "axes"}
    results = [run(case.task, frame, **options) for frame in case.mixture]
    outputs = {
        name: replace(one, array=np.stack([r.outputs[name].array for r in results]), axes=f"T{one.axes}")
        for name, one in results[0].outputs.items()
    }
    return Result(outputs, results[0].provenance)


def _key(row: Row) -> tuple[Any, ...]:
    return row["group"], row["case"], row["contender"], row["seed"]


def _append(path: Path, row: Row) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
