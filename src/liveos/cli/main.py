# SPDX-License-Identifier: Apache-2.0
"""The program: runs a verb, and turns every exception into one text and one exit status.

Nothing heavy is imported here, so ``liveos --version`` is as quick as Python itself.
"""

import sys
from collections.abc import Sequence

from liveos import __version__


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line ``words`` (default: the process's own); the exit status comes back."""
    words = sys.argv[1:] if words is None else list(words)
    if words == ["--version"]:
        print(f"liveos {__version__}")
        return 0
    try:
        return _run(words)
    except BaseException as error:  # noqa: BLE001 - the one place where exceptions become text
        from liveos.cli.failure import explain

        return explain(error, verbose=not {"-v", "--verbose"}.isdisjoint(words))


def _run(words: Sequence[str]) -> int:
    from liveos.cli.app import app

    _prepare_process()
    status = app(args=words, prog_name="liveos", standalone_mode=False)
    # What was printed has not been delivered before this: a full disk or a closed pipe shows here.
    sys.stdout.flush()
    return int(status or 0)


def _prepare_process() -> None:
    """SIGTERM ends a verb as Ctrl-C does, and names that are not valid text can be printed."""
    import io
    import signal

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
