# SPDX-License-Identifier: Apache-2.0
"""``liveos home create``: a home that outlives the overlay."""

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from liveos.cli.home.options import KeyFile, Stick
from liveos.cli.options import DryRun, Yes
from liveos.cli.output import Output
from liveos.errors import UsageError

if TYPE_CHECKING:
    from liveos.operations.plan import Plan


def create(
    output: Output,
    stick: Stick,
    *,
    size: Annotated[
        str,
        typer.Option(
            "--size", metavar="SIZE", help="Size of the home: 4G; a share of what is free; or rest."
        ),
    ],
    plain: Annotated[bool, typer.Option("--plain", help="Do not encrypt it.")] = False,
    encrypt: Annotated[
        bool, typer.Option("--encrypt", help="Encrypt it, with a passphrase that is asked for.")
    ] = False,
    key_file: KeyFile = None,
    partition: Annotated[
        bool,
        typer.Option("--partition", help="Make it a partition, behind the others of the stick."),
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Give an image a home of its own, which a reset of the overlay leaves alone."""
    from liveos.cli.overlay.options import carry_out

    _require_one_wish(plain=plain, encrypt=encrypt, key_file=key_file)
    encrypted = _wants_encryption(plain=plain, encrypt=encrypt, key_file=key_file)
    plan = _plan(stick, size, encrypted=encrypted, partition=partition)
    with ExitStack() as stack:
        if encrypted and not dry_run:
            plan = _with_key(plan, key_file, stack)
        if not carry_out(output, plan, dry_run=dry_run, yes=yes):
            return
    from liveos.medium.home.locate import open_home

    with open_home(stick) as found:
        place = str(found.place)
    if output.as_json:
        output.document("home-create", {"path": place, "encrypted": encrypted})
    else:
        output.show(f"{place} is there, {'encrypted' if encrypted else 'not encrypted'}.")


def _require_one_wish(*, plain: bool, encrypt: bool, key_file: str | None) -> None:
    if plain and (encrypt or key_file is not None):
        other = "--encrypt" if encrypt else "--key-file"
        raise UsageError(f"--plain and {other} contradict each other", hint="leave one out")


def _wants_encryption(*, plain: bool, encrypt: bool, key_file: str | None) -> bool:
    """What was said; else what the person says, to whom encryption is proposed."""
    from liveos.cli.home.passphrase import can_ask

    if plain or encrypt or key_file is not None:
        return not plain
    if not can_ask():
        raise UsageError(
            "nobody said whether the home is to be encrypted",
            hint="add --encrypt with --key-file FILE, or --plain",
        )
    print("Encrypt the home? [Y/n] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"", "y", "yes"}


def _plan(stick: str, size: str, *, encrypted: bool, partition: bool) -> "Plan":
    """What would be done, before anybody is asked for a passphrase."""
    from uuid import uuid4

    from liveos.medium.home.locate import open_home
    from liveos.operations.home.plans import create as operation
    from liveos.sizes import parse_size

    luks_uuid = uuid4() if encrypted else None
    partition_uuid = uuid4() if partition else None
    wish = operation.HomeWish(parse_size(size), uuid4(), luks_uuid, partition_uuid)
    with open_home(stick) as found:
        return operation.plan(found, stick, wish)


def _with_key(plan: "Plan", key_file: str | None, stack: ExitStack) -> "Plan":
    from liveos.cli.home.passphrase import new_key
    from liveos.operations.home.plans.create import with_key

    return with_key(plan, stack.enter_context(new_key(key_file)))
