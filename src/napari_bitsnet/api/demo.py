"""The demo: three cases that can be separated and one that cannot, each with its nulls and its ceiling."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bitsnet.api import Result, RunSettings, iter_run
from napari_bitsnet.api.export.names import PossibleNames, possible_names
from napari_bitsnet.api.export.overwriting import check_outputs
from napari_bitsnet.api.export.saving import save_results
from napari_bitsnet.api.export.strict_json import strict_json
from napari_bitsnet.api.running import Run, Stop
from napari_bitsnet.core.writing import atomically
from napari_bitsnet.data.case import Case
from napari_bitsnet.data.case_makers import WEIGHTS, half_and_half, panel_case, two_mixtures
from napari_bitsnet.data.case_sheet import draw_case
from napari_bitsnet.data.photographs import bundled_photograph

ENOUGH = 3.0
"""Offset-free gain in dB that separable cases have to reach."""

KEYS = ("panel", "two_mixtures", "blind", "too_hard")
"""Beginnings of the names of files, one for each case."""
INPUTS = ("mixture", "mixture_1", "mixture_2", "guide_1", "guide_2")
"""Names of the images of a case, which follow its key."""
RECORD = "demo_run.json"

WORDS = """\
The gain is the PSNR of an answer minus that of the mixture taken as every source. It is offset-free after the
best constant has been added to each source, because the image hardly shows how brightness is shared. Nulls
separate nothing; a ceiling knows what a method has to estimate.
"""


@dataclass(frozen=True)
class DemoCase:
    """One case of the demo.

    Parameters
    ----------
    key : str
        Beginning of the names of the files.
    case : Case
        Problem and truth.
    separable : bool
        Whether the answer has to gain `ENOUGH`.
    """

    key: str
    case: Case
    separable: bool = True

    @property
    def settings(self) -> RunSettings:
        """Return the settings of the run: the defaults."""
        return RunSettings(task=self.case.task, options=self.case.options)

    def start(self, device: str, stop: Stop | None = None) -> Run:
        """Return the run as an iterator."""
        settings = self.settings.updated({"device": device})
        return iter_run(settings, self.case.mixture, guides=self.case.guides, stop=stop)


@dataclass(frozen=True)
class Outcome:
    """A case with its result, and the scores of nulls, answer and ceiling in this order (see
    `Case.score`)."""

    demo: DemoCase
    result: Result
    scores: dict[str, dict[str, Any]]

    @property
    def gain(self) -> float:
        """Return the offset-free gain of the answer in dB."""
        return float(self.scores["answer"]["mean_gain_offset_free"])

    @property
    def passed(self) -> bool:
        """Return True if the case was separated, or is not expected to be."""
        return not self.demo.separable or self.gain >= ENOUGH


def demo_cases(size: int = 256) -> Iterator[DemoCase]:
    """Yield the cases of the demo, from fixed seeds and the bundled photographs of scikit-image.

    Parameters
    ----------
    size : int
        Side of the images in pixels.
    """
    yield DemoCase("panel", panel_case(0, size, 2, "X-ray of a two-sided panel (simulated)"))
    pair = [bundled_photograph(name, size) for name in ("astronaut", "coffee")]
    several = two_mixtures("astronaut + coffee", "Two mixtures", pair, WEIGHTS["easy"])
    yield DemoCase("two_mixtures", several)
    easier = [bundled_photograph(name, size) for name in ("coffee", "rocket")]
    yield DemoCase("blind", half_and_half("coffee + rocket", "One image and nothing else", *easier))
    hard = half_and_half("astronaut + coffee", "One image, too hard", *pair)
    yield DemoCase("too_hard", hard, separable=False)


def judge(demo: DemoCase, result: Result) -> Outcome:
    """Score a result beside the nulls and the ceiling of its case."""
    case = demo.case
    answers = case.references()
    ceiling = answers.pop("ceiling", None)
    answers["answer"] = result.sources
    if ceiling is not None:
        answers["ceiling"] = ceiling
    return Outcome(demo, result, {name: case.score(sources) for name, sources in answers.items()})


def score_table(outcomes: Sequence[Outcome]) -> str:
    """Return the scores as a Markdown table that also reads as plain text."""
    head = ("case", "answer", "offset-free gain", "gain", "PSNR", "SSIM", "seconds")
    lines = [head]
    for outcome in outcomes:
        made = outcome.result.provenance
        for name, scores in outcome.scores.items():
            is_answer = name == "answer"
            lines.append(
                (
                    outcome.demo.case.group,
                    f"{made['method']} ({made['preset']})" if is_answer else name,
                    f"{scores['mean_gain_offset_free']:+.2f} dB",
                    f"{scores['mean_gain']:+.2f} dB",
                    f"{scores['mean_psnr']:.2f} dB",
                    f"{scores['mean_ssim']:.3f}",
                    f"{made['seconds']:.1f}" if is_answer else "",
                )
            )
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    texts = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    texts.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(texts) + "\n"


def claim_folder(folder: Path) -> None:
    """Check that the demo replaces only files of an earlier demo, and write a record of its files.

    Parameters
    ----------
    folder : Path
        Must exist.

    Raises
    ------
    ValueError
        If there are other files with these names.
    """
    inputs = [f"{key}_{name}.tif" for key in KEYS for name in INPUTS]
    own = {f"file {k + 1}": name for k, name in enumerate([*inputs, "scores.md", "demo.png"])}
    cases = [possible_names(case, KEYS) for case in ("separate", "xray", "multi_mixture")]
    endings = {ending: None for names in cases for ending in names.endings}
    check_outputs(folder, PossibleNames((*KEYS, *own.values(), RECORD), ("", *endings)), records=[RECORD])
    with atomically(folder / RECORD) as path:
        path.write_text(strict_json({"complete": True, "files": own}, indent=2) + "\n", encoding="utf-8")


def write_inputs(demo: DemoCase, folder: Path) -> dict[str, Any]:
    """Write the input images of a case and return their paths by input.

    Parameters
    ----------
    demo : DemoCase
        The case.
    folder : Path
        Must exist.

    Returns
    -------
    dict
        ``mixture`` and ``guides``: lists of absolute paths as text; None for a source without guide.
    """
    case = demo.case
    several = case.mixture.ndim == case.truths.ndim
    mixtures = list(case.mixture) if several else [case.mixture]
    names = (
        [f"{demo.key}_mixture_{m + 1}" for m in range(len(mixtures))] if several else [f"{demo.key}_mixture"]
    )
    paths: dict[str, Any] = {"mixture": [], "guides": []}
    for name, mixture in zip(names, mixtures, strict=True):
        paths["mixture"].append(_write_input(folder / f"{name}.tif", mixture))
    for k, guide in enumerate(case.guides):
        paths["guides"].append(
            None if guide is None else _write_input(folder / f"{demo.key}_guide_{k + 1}.tif", guide)
        )
    return paths


def write_outcome(outcome: Outcome, folder: Path) -> None:
    """Write the images, sources, preview and record of a case."""
    inputs = write_inputs(outcome.demo, folder)
    result = {outcome.demo.key: (outcome.result.outputs, outcome.result.provenance)}
    save_results(result, outcome.demo.case.mixture, folder, inputs=inputs)


def draw_outcomes(outcomes: Sequence[Outcome]) -> NDArray:
    """Draw all cases below each other: mixtures, guides, truths, sources and residuals with their scores."""
    sheets = [
        draw_case(outcome.demo.case, [(outcome.result.provenance["method"], outcome.result)])
        for outcome in outcomes
    ]
    width = max(sheet.shape[1] for sheet in sheets)
    return np.concatenate(
        [np.pad(s, ((0, 0), (0, width - s.shape[1]), (0, 0)), constant_values=255) for s in sheets]
    )


def _write_input(path: Path, image: NDArray) -> str:
    import tifffile

    with atomically(path) as temporary:
        tifffile.imwrite(temporary, image, photometric="rgb" if image.ndim == 3 else "minisblack")
    return str(path.absolute())
