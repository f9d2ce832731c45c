"""Mistyped names bring the one that was probably meant."""

import pytest

from napari_bitsnet.core.config import UnknownSetting
from napari_bitsnet.core.spelling import suggestion, unknown
from napari_bitsnet.methods import METHODS
from napari_bitsnet.tasks import TASKS


@pytest.mark.parametrize(
    ("given", "meant"), [("xrays", "xray"), ("Multi-Mixture", "multi_mixture"), ("seperate", "separate")]
)
def test_the_nearest_name_is_suggested(given, meant):
    assert suggestion(given, ["separate", "xray", "multi_mixture"]) == f" Did you mean {meant!r}?"


def test_nothing_is_suggested_where_nothing_is_alike():
    assert unknown("task", "zzz", ["separate", "xray"]) == "Unknown task 'zzz'. Known: separate, xray."


def test_registries_and_settings_use_it():
    with pytest.raises(ValueError, match=r"^Unknown task 'xrays'\. Did you mean 'xray'\? Known: .*separate"):
        TASKS.get("xrays")
    with pytest.raises(
        ValueError, match=r"^Unknown method 'periodc'\. Did you mean 'periodic'\? Known: bitsnet"
    ):
        METHODS.get("periodc")
    config = METHODS.get("bitsnet").Config()
    with pytest.raises(UnknownSetting, match=r"'\. Did you mean 'alpha_exclusion'\? Known: ") as caught:
        config.updated({"alpha_exclussion": 1})
    assert caught.value.names == ["alpha_exclussion"]
