"""Signals: the first asks, a second Ctrl-C ends, those that are ignored stay ignored."""

import signal
import subprocess
import sys

import pytest

from napari_bitsnet.cli.interrupt import Interrupt, ends_cleanly

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")


def test_first_asks_and_second_ends(capsys):
    before = signal.getsignal(signal.SIGINT)
    with Interrupt() as interrupt:
        assert not interrupt()
        signal.raise_signal(signal.SIGINT)
        assert interrupt()
        assert "Ctrl-C again to quit without" in capsys.readouterr().err
        with pytest.raises(SystemExit) as end:
            signal.raise_signal(signal.SIGINT)
        assert end.value.code == 130
    assert signal.getsignal(signal.SIGINT) is before


@POSIX
@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129)])
def test_requests_to_end_ask_as_ctrl_c_does(name, code):
    number = getattr(signal, name)
    before = signal.getsignal(number)
    with Interrupt() as interrupt:
        signal.raise_signal(number)
        signal.raise_signal(number)  # systems send several: only Ctrl-C ends without saving
        assert interrupt()
        assert interrupt.exit_code == code
        with pytest.raises(SystemExit):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(number) is before


@POSIX
def test_what_the_program_was_started_to_ignore_stays_ignored():
    """``nohup`` starts it with SIGHUP ignored, a shell's background job with SIGINT."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupt() as interrupt:
            signal.raise_signal(signal.SIGHUP)
            assert not interrupt()
    finally:
        signal.signal(signal.SIGHUP, before)


@POSIX
def test_commands_that_keep_nothing_end_with_the_code_of_the_signal():
    with pytest.raises(SystemExit) as end, ends_cleanly():
        signal.raise_signal(signal.SIGTERM)
    assert end.value.code == 143


@POSIX
@pytest.mark.parametrize("module", ["typer", "pydantic", "torch"])
def test_ctrl_c_while_loading_ends_without_a_traceback(module, tmp_path):
    """The signal comes in the middle of the import of something that takes time."""
    (tmp_path / f"{module}.py").write_text("import signal\nsignal.raise_signal(signal.SIGINT)\n")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.argv = ['napari-bitsnet', 'separate', "
        f"'no.png', '-o', {str(tmp_path / 'out')!r}]; from napari_bitsnet.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
