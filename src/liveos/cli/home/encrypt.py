# SPDX-License-Identifier: Apache-2.0
"""``liveos home encrypt``: LUKS2 around a home that is there."""

from contextlib import ExitStack

from liveos.cli.home.options import KeyFile, Stick
from liveos.cli.options import DryRun, Yes
from liveos.cli.output import Output


def encrypt(
    output: Output,
    stick: Stick,
    *,
    key_file: KeyFile = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Make a plain home an encrypted one; every file in it stays."""
    from uuid import uuid4

    from liveos.cli.home.passphrase import known_key, new_key
    from liveos.cli.overlay.options import carry_out
    from liveos.medium.home.locate import open_home
    from liveos.operations.home.plans import encrypt as operation
    from liveos.operations.home.plans.existing import goes_on, with_key

    with open_home(stick) as found:
        plan = operation.plan(found, stick, uuid4())
        place = str(found.place)
    with ExitStack() as stack:
        if not dry_run:
            ask = known_key if goes_on(plan) else new_key
            plan = with_key(plan, stack.enter_context(ask(key_file)))
        if not carry_out(output, plan, dry_run=dry_run, yes=yes):
            return
    if output.as_json:
        output.document("home-encrypt", {"path": place, "encrypted": True})
    else:
        output.show(f"{place} is encrypted.")
