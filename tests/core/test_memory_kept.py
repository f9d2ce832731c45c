"""What programs of our own ask of the system: freed memory is kept until it is to be given back."""

import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys
import numpy as np
from napari_bitsnet.core.device import free_memory, keep_freed_memory

def pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        np.empty(40 * 2**20, np.uint8).fill(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open("/proc/self/statm").read().split()[1])

free_memory()  # loads torch
without = pages()
keep_freed_memory()
pages()
kept, before = pages(), resident()
free_memory()
print(without, kept, before - resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc has this")
def test_kept_memory_is_used_again_and_can_be_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    without, kept, given_back = map(int, done.stdout.split())
    assert kept < 0.2 * without
    assert given_back > 9000  # pages of 4 KiB: most of 40 MiB
