"""What do the published settings of untrained networks cost and gain?

Data: one case of each task from the built-in cases (no download); one run each, for a limited time.
Command: ``python -m benchmarks.studies.official_presets --size 64 --seconds 110``
Answer: none reaches the task's default method, which takes seconds; see ``docs/benchmarks/untrained.md``.
"""

from __future__ import annotations

import time
import warnings

import napari_bitsnet as nb
from benchmarks.quality.cases.builtin import builtin_cases
from benchmarks.quality.measure import score_row
from benchmarks.studies import arguments_of
from napari_bitsnet.data.case import Case
from napari_bitsnet.methods import METHODS

RUNS = [
    ("dip:official", "denoise, bundled", ""),
    ("dip:official_inpainting", "inpaint, bundled, 50% missing", ""),
    ("double_dip:official", "blind, bundled", "coffee + chelsea"),
    ("double_dip:official_mixtures", "two mixtures, easy weights", "coffee + chelsea"),
    ("double_dip_layers:official", "watermark, one photograph with a box, opacity .5", ""),
    ("double_dip_layers:official", "segmentation", "coffee"),
    ("double_dip_haze:official", "dehaze, bundled, airlight given", ""),
]
"""Method and preset, and the first case of a group of the benchmark whose name contains a word."""


def first_case(group: str, name: str, size: int) -> Case:
    """Return the first of a group whose name contains `name`."""
    made = (make() for part, make in builtin_cases(size, 4) if part.startswith(group))
    return next(case for case in made if name in case.name)


def solve(case: Case, method: str, preset: str, seconds: float | None) -> tuple[float, int, float]:
    """Offset-free gain (of masks the intersection over union), iterations and CPU seconds."""
    began = time.process_time()
    result = nb.run(
        case.task,
        case.mixture,
        guides=case.guides,
        hints=case.hints,
        mask=case.mask,
        method=method,
        preset=preset,
        seconds=seconds,
        device="cpu",
        **case.options,
    )
    row = score_row(case, case.answer(result))
    value = float(row["iou"] if "iou" in row else row["gain_offset_free"])
    return value, result.provenance["iterations"], time.process_time() - began


def main() -> None:
    """Measure and print a table."""
    parser = arguments_of(__doc__)
    parser.add_argument("--size", default=64, type=int)
    parser.add_argument("--seconds", default=110.0, type=float)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    print("| preset | case | steps done | of | CPU s | CPU s for all | gives | by default |")
    print("|---|---|---|---|---|---|---|---|")
    for contender, group, name in RUNS:
        method, preset = contender.split(":")
        case = first_case(group, name, arguments.size)
        gain, steps, spent = solve(case, method, preset, arguments.seconds)
        usual, *_ = solve(case, "auto", "balanced", None)
        planned = METHODS.get(method).presets[preset].model_dump()["iterations"]
        print(
            f"| `{contender}` | {case.group}: {case.name} | {steps} | {planned} | {spent:.0f} | "
            f"{spent * planned / steps:.0f} | {gain:+.2f} | {usual:+.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
