# SPDX-License-Identifier: Apache-2.0
"""``liveos overlay create``: memory for an image that was installed without."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from liveos.cli.home.options import Stick
from liveos.cli.options import DryRun, Yes
from liveos.cli.output import Output

if TYPE_CHECKING:
    from liveos.operations.plan import Plan


class Kind(StrEnum):
    """The kinds of overlay that can be made later."""

    SNAPSHOT = "snapshot"
    DIRECTORY = "directory"
    IMAGE = "image"


_KIND = "How changes are kept; without it, as suits the image."
_SIZE = "Size of a snapshot or an image: 512M; a share of what is free, as 50%; or rest."


def create(
    output: Output,
    stick: Stick,
    *,
    kind: Annotated[Kind | None, typer.Option("--kind", help=_KIND)] = None,
    size: Annotated[str | None, typer.Option("--size", metavar="SIZE", help=_SIZE)] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Give an installed image an overlay that it was installed without."""
    from liveos.cli.overlay.options import carry_out

    place, plan = _plan(stick, kind, size)
    if carry_out(output, plan, dry_run=dry_run, yes=yes):
        if output.as_json:
            output.document("overlay-create", {"path": place})
        else:
            output.show(f"{place} is there, and the boot menu leads to it.")


def _plan(stick: str, kind: Kind | None, size: str | None) -> "tuple[str, Plan]":
    """The overlay's place, and what would be done."""
    from uuid import uuid4

    from liveos.medium.installation import open_installation
    from liveos.medium.model import PersistenceKind
    from liveos.operations.overlay.plans import create as operation
    from liveos.sizes import parse_size

    wish = operation.OverlayWish(
        uuid4(),
        None if kind is None else PersistenceKind(kind),
        None if size is None else parse_size(size),
    )
    with open_installation(stick) as found:
        return str(found.overlay_place), operation.plan(found, wish)
