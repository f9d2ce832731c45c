"""Devices that this machine does not have."""

import pytest

from napari_bitsnet.core import device


@pytest.mark.parametrize(
    ("there", "name", "told"),
    [
        (["cpu"], "cuda", True),
        (["cpu"], "cuda:1", True),
        (["cpu"], "mps", True),
        (["cpu"], "gpu", False),
        (["cuda:0", "cpu"], "cuda:1", False),
        (["mps", "cpu"], "cuda", False),
    ],
)
def test_why_there_is_no_such_device(monkeypatch, there, name, told):
    monkeypatch.setattr(device, "list_devices", lambda: there)
    with pytest.raises(ValueError, match="Expected a device of this machine") as caught:
        device.resolve_device(name)
    assert f"({', '.join(there)}) or auto, got {name!r}" in str(caught.value)
    assert (
        "PyTorch finds no GPU here that it can use; see the page Installation" in str(caught.value)
    ) == told
