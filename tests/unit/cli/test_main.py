# SPDX-License-Identifier: Apache-2.0
"""One exit path: what the person reads, and the status that scripts see."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer import Abort

from liveos import __version__
from liveos.cli.failure import explain
from liveos.cli.main import main
from liveos.errors import ExitStatus, LiveosError, NoSpaceError, RefusedError
from liveos.formats.binary import TruncatedError


@pytest.fixture(autouse=True)
def _keep_signal_handlers() -> None:
    """Tests run verbs in this process, and a verb sets the handler of SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"liveos {__version__}\n"
    assert main(["-q", "--version"]) == 0
    assert capsys.readouterr().out == f"liveos {__version__}\n"


@pytest.mark.parametrize(
    "words",
    [[], ["nonsense"], ["--nonsense"], ["tools", "--nonsense"], ["tools", "extra"]],
    ids=" ".join,
)
def test_wrong_usage_names_the_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == ExitStatus.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("liveos: ")
    assert "--help" in err.splitlines()[1]


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (LiveosError("x broke", hint="mend x"), 1, "liveos: x broke\nhint: mend x\n"),
        (RefusedError("no"), 4, "liveos: no\n"),
        (NoSpaceError("full"), 6, "liveos: full\n"),
        (TruncatedError("short"), 7, "liveos: short\n"),
        (KeyboardInterrupt(), 130, "liveos: interrupted\n"),
        (Abort(), 130, "liveos: interrupted\n"),
        (FileNotFoundError(errno.ENOENT, "No such file", "a.iso"), 1, "liveos: a.iso: No such"),
        (PermissionError(errno.EACCES, "Permission denied", "/dev/x"), 8, "liveos: /dev/x: Perm"),
        (OSError(errno.ENOSPC, "No space left on device"), 6, "liveos: No space left on device"),
        (OSError(errno.EFBIG, "File too large", "s.img"), 6, "liveos: s.img: File too large"),
        (ValueError("bad"), 1, "liveos: a fault in liveos itself: ValueError: bad\nhint: for the"),
        (SystemExit(3), 3, ""),
    ],
)
def test_every_exception_has_one_text_and_one_status(
    error: BaseException, status: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain(error, verbose=False) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(words)
    assert "Traceback" not in err


def test_a_fault_shows_its_traceback_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(ValueError("bad"), verbose=True) == ExitStatus.FAILED
    assert "ValueError: bad" in capsys.readouterr().err.splitlines()[-3]


def test_names_from_images_cannot_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    explain(LiveosError("label \x1b]0;owned\x07 \udcff\u202e"), verbose=False)
    assert capsys.readouterr().err == "liveos: label \\x1b]0;owned\\x07 \\xff\\u202e\n"


def liveos(*words: str, **settings: object) -> subprocess.Popen[bytes]:
    line = [sys.executable, "-m", "liveos", *words]
    return subprocess.Popen(line, stderr=subprocess.PIPE, **settings)  # type: ignore[call-overload,no-any-return]


def test_a_reader_that_leaves_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with liveos("--help", stdout=writing) as process:
        os.close(writing)
        assert process.stderr
        assert process.stderr.read() == b""
    assert process.returncode == ExitStatus.FAILED


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_result_that_cannot_be_written_is_an_error() -> None:
    with Path("/dev/full").open("wb") as full, liveos("--help", stdout=full) as process:
        assert process.stderr
        assert process.stderr.read().startswith(b"liveos: No space left on device")
    assert process.returncode == ExitStatus.NO_SPACE


@pytest.mark.parametrize(
    ("word", "absent"),
    [
        ("--version", {"typer", "enum", "subprocess"}),
        ("--help", {"rich", "numpy", "pycdlib", "cryptography", "ext4", "liveos.host.run"}),
    ],
)
def test_quick_answers_import_nothing_heavy(word: str, absent: set[str]) -> None:
    code = "import sys; from liveos.cli.main import main; main(sys.argv[1:]); print(*sys.modules)"
    line = [sys.executable, "-c", code, word]
    shown = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    assert absent.isdisjoint(shown.splitlines()[-1].split())
