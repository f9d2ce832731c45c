"""Sphinx settings; ``sphinx-build -W docs docs/_build/html`` builds the documentation."""

from __future__ import annotations

import sys
from pathlib import Path

import napari_bitsnet

sys.path.insert(0, str(Path(__file__).parent))

project = "napari-bitsnet"
author = "the napari-bitsnet team"
copyright = "the napari-bitsnet team"
version = release = napari_bitsnet.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "registry_pages",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "examples"]
sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "abort_on_example_error": True,
    "min_reported_time": 60,  # no example should take so long
    "show_memory": False,
    "write_computation_times": False,
}
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"  # the docstrings give types with shapes and ranges
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_validation_checks = {"GL06", "GL07", "GL08", "PR02", "PR03", "SS01"}

html_theme = "furo"
html_title = f"napari-bitsnet {release}"
html_show_sourcelink = False
