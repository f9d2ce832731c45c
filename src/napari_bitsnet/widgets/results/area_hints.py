"""Areas in the wrong source of a result, painted into the hints of its run."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_bitsnet.core.hints import paint
from napari_bitsnet.widgets.forms.problem_form import ProblemForm
from napari_bitsnet.widgets.layers.parts import Part
from napari_bitsnet.widgets.layers.shapes import shapes_part
from napari_bitsnet.widgets.run.separation import Separation


def paint_areas(form: ProblemForm, run: Separation, areas: Any, source: int) -> Part | None:
    """Paint areas into the hints that the form shows, as those of a source, and return the hints.

    Parameters
    ----------
    form : ProblemForm
        Form with the layer of hints, which is added if there is none.
    run : Separation
        Finished run.
    areas : Shapes
        Shapes around areas in the wrong source.
    source : int
        Number of the right source on the screen, from 1: where the two sources were swapped, hints have the
        other one.
    """
    mixture = run.request.mixtures[0]
    mask = shapes_part(areas, mixture).array
    before = form.hints_beside(mixture)
    old = np.zeros(mask.shape, np.uint8) if before is None else np.asarray(before.array)
    form.show_hints(paint(old, mask, 3 - source if run.edits.swapped else source), before, mixture)
    if before is None:  # the hints are for the run, not to be looked at
        form.inputs.chosen("hints")[0].visible = False
    return form.hints_beside(mixture)
