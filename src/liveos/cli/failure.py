# SPDX-License-Identifier: Apache-2.0
"""Exceptions in words: ``liveos: what was wrong`` and ``hint: what to do next``."""

import errno
import os
import sys

from typer import Abort
from typer.exceptions import TyperException

from liveos.cli.text import printable
from liveos.errors import (
    ExitStatus,
    InterruptedByUserError,
    LiveosError,
    NoSpaceError,
    NotPermittedError,
    UnsupportedError,
    UsageError,
)
from liveos.formats.binary import FormatError

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def explain(error: BaseException, *, verbose: bool) -> int:
    """Print what an exception means to the person, and return the exit status."""
    _drop_what_cannot_be_written()
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else ExitStatus.FAILED
    if isinstance(error, BrokenPipeError):
        return ExitStatus.FAILED  # whoever read has had enough (``| head``): no error to speak of
    known = _translate(error)
    if known is None:
        return _fault(error, verbose=verbose)
    _say(known.message, known.hint)
    return known.status


def _translate(error: BaseException) -> LiveosError | None:
    match error:
        case LiveosError():
            return error
        case KeyboardInterrupt() | Abort():
            return InterruptedByUserError("interrupted")
        case TyperException():
            return UsageError(error.format_message(), hint=_where_help_is(error))
        case FormatError():
            return UnsupportedError(str(error), hint="the file is damaged, or of another kind")
        case OSError():
            return _translate_os(error)
        case _:
            return None


def _translate_os(error: OSError) -> LiveosError:
    where = f"{error.filename}: " if error.filename else ""
    message = f"{where}{error.strerror or error}"
    if isinstance(error, PermissionError):
        return NotPermittedError(message, hint="run it as a user who may, or as root")
    if error.errno in _NO_SPACE:
        return NoSpaceError(message, hint="make room, or choose another place")
    return LiveosError(message)


def _where_help_is(error: TyperException) -> str:
    # Usage errors carry the context of the verb they arose in; other typer errors do not.
    context = getattr(error, "ctx", None)
    return f"see {context.command_path if context else 'liveos'} --help"


def _fault(error: BaseException, *, verbose: bool) -> int:
    """Something that nobody foresaw is a fault in the program, whatever the input was."""
    if verbose:
        import traceback

        traceback.print_exception(error)
    kind = type(error).__name__
    hint = "please report the traceback above" if verbose else "for the traceback, add -v"
    _say(f"a fault in liveos itself: {kind}: {error}", hint)
    return ExitStatus.FAILED


def _drop_what_cannot_be_written() -> None:
    """Python flushes standard output once more when it ends; that must not fail after all."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(message: str, hint: str | None) -> None:
    print(f"liveos: {printable(message)}", file=sys.stderr)
    if hint:
        print(f"hint: {printable(hint)}", file=sys.stderr)
