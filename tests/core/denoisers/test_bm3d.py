from __future__ import annotations

import sys

import pytest
import torch

from napari_bitsnet.core.denoisers.bm3d import bm3d


def test_equals_the_package_plane_by_plane():
    package = pytest.importorskip("bm3d")
    noisy = 0.5 + 0.05 * torch.randn(1, 2, 32, 32, generator=torch.Generator().manual_seed(0))
    answer = bm3d(noisy, 0.05)
    expected = torch.from_numpy(package.bm3d(noisy[0, 1].double().numpy(), 0.05))
    torch.testing.assert_close(answer[0, 1].double(), expected, atol=1e-5, rtol=0)


def test_says_which_extra_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "bm3d", None)  # makes its import fail
    with pytest.raises(ImportError, match=r"pip install napari-bitsnet\[bm3d\]"):
        bm3d(torch.rand(1, 1, 8, 8), 0.05)


def test_zero_noise_needs_no_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "bm3d", None)
    image = torch.rand(1, 1, 8, 8)
    assert torch.equal(bm3d(image, 0.0), image)
