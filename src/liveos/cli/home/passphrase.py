# SPDX-License-Identifier: Apache-2.0
"""Where a passphrase comes from: a key file, standard input, or a person who types it twice.

It goes to nobody but the one who needs it: not into arguments, the environment, plans or logs.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING

from liveos.errors import NotPermittedError, RefusedError, UsageError

if TYPE_CHECKING:
    from liveos.host.luks import Key

_STANDARD_INPUT = "-"
_MOST = (1 << 20) + 1


@contextmanager
def new_key(key_file: str | None) -> Iterator["Key"]:
    """A key for something new, as long as the body lasts.

    :raises RefusedError: nobody can be asked, or the two passphrases differ.
    """
    from liveos.host.luks import private_key

    name, secret = _typed() if key_file is None else read_key(key_file)
    with private_key(name, secret) as key:
        yield key


@contextmanager
def known_key(key_file: str | None) -> Iterator["Key"]:
    """The key of something that exists, as long as the body lasts; it is asked for once.

    :raises RefusedError: nobody can be asked.
    """
    from liveos.host.luks import private_key

    name, secret = _typed(repeat=False) if key_file is None else read_key(key_file)
    with private_key(name, secret) as key:
        yield key


def can_ask() -> bool:
    """Whether there is a person at a terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _typed(*, repeat: bool = True) -> tuple[str, bytes]:
    if not can_ask():
        raise RefusedError(
            "nobody can be asked for a passphrase: this is no terminal",
            hint="add --key-file FILE, or --key-file - to read it from standard input",
        )
    first = getpass("Passphrase of the home: ", sys.stderr)
    if repeat and first != getpass("The same again: ", sys.stderr):
        raise RefusedError("the two passphrases differ", hint="try again; nothing was changed")
    return "the passphrase", first.encode()


def read_key(key_file: str) -> tuple[str, bytes]:
    """Exactly the bytes that are there, as cryptsetup takes them."""
    if key_file == _STANDARD_INPUT:
        return "the key from standard input", sys.stdin.buffer.read(_MOST)
    path = Path(key_file)
    try:
        with path.open("rb") as file:
            return f"the key file {path}", file.read(_MOST)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise UsageError(f"{path}: {error.strerror}", hint="name the file with the key") from error
    except PermissionError as error:
        raise NotPermittedError(f"{path} may not be read", hint="check its mode") from error
