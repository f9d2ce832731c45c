"""Ctrl-C: the first asks, the second ends."""

import signal

import pytest

from napari_bitsnet.cli.interrupt import Interrupt


def test_first_asks_and_second_ends(capsys):
    before = signal.getsignal(signal.SIGINT)
    with Interrupt() as interrupt:
        assert not interrupt()
        signal.raise_signal(signal.SIGINT)
        assert interrupt()
        assert "Ctrl-C again to quit without" in capsys.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
