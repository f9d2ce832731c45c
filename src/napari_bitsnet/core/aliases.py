"""Former names of tasks, methods and settings, so that records of earlier versions are still read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

TASKS = {"guided": "xray"}
METHODS = {
    "lattices": "periodic",
    "patch_groups": "nl_bayes",
    "random_walk": "random_walker",
    "regression": "guided_regression",
    "shared_mark": "watermark_matting",
}
SETTINGS = {
    "bending": "n_modes",
    "blank": "i0",
    "centres": "n_clusters",
    "drift_spread": "drift_std",
    "rounds": "n_reweightings",
    "search": "max_shift",
    "spread": "prior_std",
    "trust": "uncertainty",
}


def with_present_names(settings: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Return settings under their present names.

    Parameters
    ----------
    settings : mapping of str to value
        By present or former names.
    known : collection of str
        Present names. A name among them is never taken for a former one.
    """
    present = {}
    for name, value in settings.items():
        new = SETTINGS.get(name, name)
        if name == "start" and isinstance(value, str):  # names the method that goes first
            value = METHODS.get(value, value)
        present[new if name not in known and new in known else name] = value
    return present
