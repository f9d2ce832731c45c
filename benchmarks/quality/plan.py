"""Choose cases, measure, draw and write tables; rows that are already measured are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.quality.cases.builtin import builtin_cases
from benchmarks.quality.cases.folder import folder_cases
from benchmarks.quality.measure import Row, measure
from benchmarks.quality.report import write_tables
from napari_bitsnet.api import Result
from napari_bitsnet.core.device import resolve_device
from napari_bitsnet.data.case import Case
from napari_bitsnet.data.case_sheet import draw_case


@dataclass(frozen=True)
class Plan:
    """The choice of contenders and cases.

    Parameters
    ----------
    contenders : sequence of str
        ``"method"`` or ``"method:preset"``; ``"auto"`` is the method that the task chooses.
    data : Path, optional
        Folder of measuring images; without it, built-in cases only.
    groups : sequence of str
        Only groups whose name contains one of these; empty for all.
    names : sequence of str
        Only cases whose name contains one of these; empty for all.
    size : int
        Side of the images in pixels.
    n : int
        Panels, random pairs and triplets a group, at most.
    seeds : int
        Runs of each contender.
    device : str
        As in `napari_bitsnet.run`.
    """

    contenders: Sequence[str]
    data: Path | None = None
    groups: Sequence[str] = ()
    names: Sequence[str] = ()
    size: int = 256
    n: int = 4
    seeds: int = 1
    device: str = "auto"

    def cases(self) -> Iterator[Case]:
        """Yield the cases of the chosen groups; only one is in memory."""
        sources = [builtin_cases(self.size, self.n)]
        if self.data is not None:
            sources.append(folder_cases(self.data, self.size, self.n))
        for source in sources:
            for group, make in source:
                if self.groups and not any(part in group for part in self.groups):
                    continue
                case = make()
                if not self.names or any(part in case.name for part in self.names):
                    yield case

    def command(self) -> str:
        """The command line that measures this."""
        parts = [f"python -m benchmarks quality --methods {','.join(self.contenders)}"]
        parts.append(f"--size {self.size} --n {self.n} --seeds {self.seeds}")
        parts += [f'--group "{group}"' for group in self.groups]
        parts += [f'--case "{name}"' for name in self.names]
        parts += ["--data DIR"] if self.data else []
        return " ".join(parts)


def run_benchmark(plan: Plan, out: Path, *, sheets: bool = True, show: Callable[[Row], None]) -> Path:
    """Measure a plan and write rows, tables and pictures to a folder.

    Parameters
    ----------
    plan : Plan
        Contenders and cases.
    out : Path
        Folder for ``rows.jsonl`` (which makes a stopped run resume), ``quality.md``, ``quality.csv`` and
        ``sheets/``.
    sheets : bool
        Whether to draw every case with its answers.
    show : callable
        Called with every row, as progress.

    Returns
    -------
    Path
        The table, ``quality.md``.

    Raises
    ------
    FileNotFoundError
        If ``plan.data`` is absent.
    """
    device = resolve_device(plan.device)
    out.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    answers: list[tuple[str, Result]] = []
    last: Case | None = None
    for row, case, result in measure(
        plan.cases(), plan.contenders, out / "rows.jsonl", seeds=range(plan.seeds), device=device
    ):
        if last is not None and case is not last:
            _draw(last, answers, out / "sheets", sheets)
            answers = []
        last = case
        rows.append(row)
        if result is not None and row["seed"] == 0:
            answers.append((row["contender"], result))
        show(row)
    if last is not None:
        _draw(last, answers, out / "sheets", sheets)
    write_tables(rows, out, command=plan.command(), device=device)
    return out / "quality.md"


def _draw(case: Case, answers: Sequence[tuple[str, Result]], folder: Path, sheets: bool) -> None:
    """Save the picture of one case, if it has answers that were made in this run."""
    from skimage.io import imsave

    if sheets and answers and not case.is_film:
        folder.mkdir(exist_ok=True)
        name = "".join(c if c.isalnum() else "-" for c in f"{case.group} {case.name}")
        imsave(folder / f"{name}.png", draw_case(case, answers), check_contrast=False)
