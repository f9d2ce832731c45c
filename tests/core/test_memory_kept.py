"""Freed memory is kept by programs of our own: what is allocated again needs no new pages."""

import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys
import numpy as np
from napari_bitsnet.core.device import keep_freed_memory

def pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        np.empty(40 * 2**20, np.uint8).fill(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

without = pages()
keep_freed_memory()
pages()
print(without, pages())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc has this")
def test_what_is_allocated_again_needs_no_new_pages() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    without, kept = map(int, done.stdout.split())
    assert kept < 0.2 * without
