"""Which part of a panel keeps guided separation from its ceiling?

Data: simulated panels (no download). One property at a time is made ideal, or given to the fit.
Command: ``python -m benchmarks.studies.guided_ablation --seeds 0 1 2 3 4 5 --size 256``
Answer: cracks in the photographs and densities that drift; see ``docs/benchmarks/guided.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

import napari_bitsnet as nb
from benchmarks.studies import arguments_of
from napari_bitsnet.core.displacement import Window
from napari_bitsnet.core.images import normalise
from napari_bitsnet.core.problem import Problem
from napari_bitsnet.data.panel import Panel, Recipe, simulate_panel
from napari_bitsnet.methods.guided.guided_regression import (
    GuidedRegression,
    GuidedRegressionConfig,
    GuidedRegressionState,
)

Answer = Callable[[Panel, int], NDArray]
"""From a panel and the number of guides to sources (2, Y, X)."""


def explain(
    panel: Panel, n_guides: int, without: tuple[str, ...] = (), *, cracks: bool = False
) -> tuple[NDArray, GuidedRegressionState]:
    """Fit to the panel without some of its parts; what the guides explain (2, Y, X), in the panel's units."""
    total = panel.truths.sum(axis=0) - sum(panel.parts[name].sum(axis=0) for name in without)
    seen = normalise(total.astype(np.float32))
    guides = tuple(normalise(g).tensor if k < n_guides else None for k, g in enumerate(panel.guides))
    method = GuidedRegression(GuidedRegressionConfig().updated({"uncertainty": False, "cracks": cracks}))
    state = method.start(Problem(seen.tensor, 2, guides=guides), device="cpu", seed=0)
    for _ in method.advance(state):
        pass
    return seen.scaling.span * method.solution(state)["explained"][:, 0].numpy(), state


def divide(panel: Panel, n_guides: int, explained: NDArray) -> NDArray:
    """Sources if the rest is split as the ceiling's is."""
    return replace(panel, explained=explained).ceiling(n_guides)


def fitted(*without: str, cracks: bool = False) -> Answer:
    """The closed form, fitted to the panel without some of its parts, with the network for cracks or not."""
    return lambda panel, n_guides: divide(
        panel, n_guides, explain(panel, n_guides, without, cracks=cracks)[0]
    )


def capacity(panel: Panel, n_guides: int) -> NDArray:
    """The model with the weights that are nearest to the truth: what its features can say."""
    model = explain(panel, n_guides)[1].model
    assert model is not None
    best = np.zeros_like(panel.explained)
    for term in model.terms:
        features = model.features(term, Window(0, 0, *model.modes.size)).flatten(1).double()
        features = features - features.mean(dim=1, keepdim=True)
        truth = torch.from_numpy(panel.explained[term.source]).flatten().double()
        gram = features @ features.T + 1e-3 * torch.eye(len(features), dtype=torch.float64)
        weights = torch.linalg.solve(gram, features @ (truth - truth.mean()))
        best[term.source] = (weights @ features).view(best.shape[1:]).numpy()
    return divide(panel, n_guides, best)


def knowing(*names: str) -> Answer:
    """The ceiling that knows more: parts that no photograph's colours tell, on their own sides."""

    def answer(panel: Panel, n_guides: int) -> NDArray:
        known = panel.explained + sum(panel.parts[name] for name in names)
        return divide(panel, n_guides, known)

    return answer


ANSWERS: dict[str, tuple[Answer, dict]] = {
    "closed form": (fitted(), {}),
    "closed form, cracks found by the network": (fitted(cracks=True), {}),
    "ceiling: colours known": (knowing(), {}),
    "photographs without cracks": (fitted(), {"recipe": Recipe(visible_cracks=0)}),
    "densities that do not drift": (fitted(), {"drift": 0.0}),
    "fitted without cracks": (fitted("cracks"), {}),
    "fitted without support": (fitted("support"), {}),
    "fitted without brushwork": (fitted("relief"), {}),
    "fitted without the abandoned design": (fitted("design"), {}),
    "fitted without any of them": (fitted("cracks", "support", "relief", "design"), {}),
    "best weights for the same features": (capacity, {}),
    "ceiling, cracks known besides": (knowing("cracks"), {}),
    "ceiling, brushwork known besides": (knowing("relief"), {}),
    "ceiling, design known besides": (knowing("design"), {}),
}


def main() -> None:
    """Measure and print a table."""
    parser = arguments_of(__doc__)
    parser.add_argument("--seeds", default=range(6), nargs="+", type=int, help="Seeds of the panels.")
    parser.add_argument("--size", default=256, type=int, help="Side in pixels.")
    arguments = parser.parse_args()
    columns = [(g, r) for g in (2, 1) for r in (0.0, 1.5)]
    heads = [f"{g} guide{'s'[: g - 1]}{', aligned' if not r else ''}" for g, r in columns]
    print("|", " | ".join(["given", *heads]), "|\n|", "---|" * (1 + len(columns)), sep="")
    for name, (answer, changes) in ANSWERS.items():
        gains = []
        for n_guides, misregistration in columns:
            scores = []
            for seed in arguments.seeds:
                panel = simulate_panel(seed, arguments.size, misregistration=misregistration, **changes)
                got = nb.metrics.score(answer(panel, n_guides), panel.truths, panel.mixture)
                scores.append(got["mean_gain_offset_free"])
            gains.append(f"{np.mean(scores):+.2f}")
        print("|", " | ".join([name, *gains]), "|", flush=True)


if __name__ == "__main__":
    main()
