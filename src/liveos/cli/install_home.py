# SPDX-License-Identifier: Apache-2.0
"""What ``liveos install`` must ask for a home: whether to encrypt it, and with which passphrase."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from liveos.errors import UsageError

if TYPE_CHECKING:
    from liveos.operations.install.sizes import Wish
    from liveos.operations.install.stick import HomeRequest, InstallRequest
    from liveos.operations.plan import Plan

_AUTO = "auto"


def wish(size: str) -> "Wish":
    """A size, or ``auto``, which leaves it to us."""
    from liveos.operations.install.sizes import AUTO
    from liveos.sizes import parse_size

    return AUTO if size.strip().lower() == _AUTO else parse_size(size)


def home_request(
    size: str | None, *, partition: bool, plain: bool, key_file: str | None
) -> "HomeRequest | None":
    """The home that is wished; a person at a terminal is asked whether to encrypt it.

    :raises UsageError: options contradict each other, or nobody said and nobody can be asked.
    """
    from liveos.operations.install.stick import HomeRequest

    if size is None:
        _require_none(partition=partition, plain=plain, key_file=key_file)
        return None
    if plain and key_file is not None:
        raise UsageError("--plain-home and --key-file contradict each other", hint="leave one out")
    encrypted = not plain and (key_file is not None or _wants_encryption())
    return HomeRequest(wish(size), encrypted=encrypted, partition=partition)


def needs_key(request: "InstallRequest") -> bool:
    """Whether a passphrase must be known before anything is done."""
    return request.home is not None and request.home.encrypted


@contextmanager
def with_key(plans: Sequence["Plan"], key_file: str | None) -> Iterator[list["Plan"]]:
    """The plans with the passphrase, which is there as long as the body lasts."""
    from liveos.cli.home.passphrase import new_key
    from liveos.operations.install import keyed

    with new_key(key_file) as key:
        yield [keyed.with_key(plan, key) for plan in plans]


def _require_none(*, partition: bool, plain: bool, key_file: str | None) -> None:
    said = (
        ("--home-partition", partition),
        ("--plain-home", plain),
        ("--key-file", key_file is not None),
    )
    for name, is_said in said:
        if is_said:
            raise UsageError(f"{name} is about a home, and none is wished", hint="add --home SIZE")


def _wants_encryption() -> bool:
    from liveos.cli.home.passphrase import can_ask

    if not can_ask():
        raise UsageError(
            "nobody said whether the home is to be encrypted",
            hint="add --key-file FILE to encrypt it, or --plain-home",
        )
    print("Encrypt the home? [Y/n] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"", "y", "yes"}
