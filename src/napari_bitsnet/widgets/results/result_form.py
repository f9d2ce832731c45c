"""What can be done with a finished result, one short group below the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magicgui.widgets import Container, PushButton
from qtpy.QtCore import Qt

from napari_bitsnet.widgets.forms.help import help_button
from napari_bitsnet.widgets.forms.rows import Text, plain
from napari_bitsnet.widgets.forms.section import Section
from napari_bitsnet.widgets.results.area_form import AreaForm
from napari_bitsnet.widgets.results.brightness_form import BrightnessForm
from napari_bitsnet.widgets.results.candidate_bar import CandidateBar
from napari_bitsnet.widgets.results.further_form import FurtherForm
from napari_bitsnet.widgets.results.record_bar import RecordBar

if TYPE_CHECKING:
    from napari_bitsnet.widgets.run.separation import Separation


class ResultForm(Container):
    """Other splits, brightness, areas, further pictures and the record of a result.

    Parameters
    ----------
    viewer : napari.Viewer
        Viewer with the layers of the result.
    """

    def __init__(self, viewer: Any) -> None:
        self.candidates, self.brightness = CandidateBar(), BrightnessForm()
        self.areas, self.further, self.record = AreaForm(viewer), FurtherForm(), RecordBar(viewer)
        self.further_section = Section("Further pictures", self.further)
        self._sources = Text("")
        self._groups = {
            "candidates": _group(Text("Other splits"), self.candidates, "concepts/trust.md"),
            "brightness": _group(
                self._sources, self.brightness, "concepts/identifiability.md", self.brightness.swap
            ),
            "areas": plain([self.areas, help_button("tutorials/hints.md")], layout="horizontal"),
            "further": self.further_section,
        }
        areas = self._groups["areas"]
        areas.native.layout().setAlignment(areas[1].native, Qt.AlignmentFlag.AlignTop)
        super().__init__(widgets=[*self._groups.values(), self.record], labels=False)
        self.margins = (0, 0, 0, 0)
        self.native.layout().setSpacing(6)

    def shows(self, group: str) -> bool:
        """Return True if a group ("candidates", "brightness", "areas", "further") has something to show."""
        return bool(self._filled()[group])

    def follow(self, run: Separation | None) -> None:
        """Show what can be done with a finished run; groups without use are hidden."""
        self.brightness.follow(run)
        self.candidates.follow(run)
        self.areas.follow(run)
        self.further.follow(run)
        filled = self._filled()
        for name, group in self._groups.items():
            group.visible = bool(filled[name])
        self._sources.value = "Brightness" if self.brightness.sliders else "Order"
        self.further_section.retitle(f"Further pictures ({len(self.further.boxes)})")
        self.record.reset()

    def _filled(self) -> dict[str, Any]:
        return {
            "candidates": self.candidates.buttons,
            "brightness": self.brightness.sliders or self.brightness.swappable,
            "areas": self.areas.buttons,
            "further": self.further.boxes,
        }


def _group(title: Text, body: Container, page: str, *buttons: PushButton) -> Container:
    """Return a widget below its title, with buttons beside the title and a question mark."""
    head = plain([title, *buttons, help_button(page)], layout="horizontal")
    return plain([head, body], spacing=2)
