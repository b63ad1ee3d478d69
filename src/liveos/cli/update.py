# SPDX-License-Identifier: Apache-2.0
"""``liveos update``: a newer ISO in the place of an image."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from liveos.cli.images import Image
from liveos.cli.options import DryRun, Yes
from liveos.cli.output import Output

if TYPE_CHECKING:
    from liveos.operations.plan import Plan


class Fate(StrEnum):
    """What becomes of an overlay: ``OverlayFate`` of the operation, not imported this early."""

    KEEP = "keep"
    SET_ASIDE = "set-aside"


Source = Annotated[Path, typer.Argument(metavar="ISO", help="The newer ISO.")]
OverlayOption = Annotated[
    Fate | None,
    typer.Option(
        "--overlay",
        help="Use the overlay over the new root, or start with an empty one and keep the old"
        " beside it.",
    ),
]
KernelArguments = Annotated[
    str | None,
    typer.Option("--kernel-args", metavar="WORDS", help="Words to add to the kernel line."),
]
NoVerify = Annotated[
    bool, typer.Option("--no-verify", help="Do not check the ISO's implanted MD5 sum.")
]


def update(
    output: Output,
    image: Image,
    iso: Source,
    *,
    overlay: OverlayOption = None,
    kernel_args: KernelArguments = None,
    no_verify: NoVerify = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Put a newer ISO in the place of an image; its home stays."""
    from liveos.cli.overlay.options import carry_out

    plan = _plan(image, iso, overlay, kernel_args or "", verify=not no_verify)
    if carry_out(output, plan, dry_run=dry_run, yes=yes):
        if output.as_json:
            output.document("update", {"image": image, "source": str(iso)})
        else:
            output.show(f"{image} is up to date with {iso}.")


def _plan(image: str, iso: Path, overlay: Fate | None, words: str, *, verify: bool) -> "Plan":
    from uuid import uuid4

    from liveos.cli.install import kernel_words
    from liveos.cli.install_add import drivers_on
    from liveos.host.target import look_at
    from liveos.medium.home.locate import open_root
    from liveos.medium.home.mounting import read_live_system
    from liveos.medium.inspect import inspect
    from liveos.medium.stick import open_stick, parse_image
    from liveos.operations.images.kept_memory import OverlayFate
    from liveos.operations.images.plans import update as operation

    path, name = parse_image(image)
    request = operation.UpdateRequest(
        uuid=uuid4(),
        overlay=None if overlay is None else OverlayFate(overlay),
        kernel_arguments=kernel_words(words),
        verify=verify,
    )
    facts, system = inspect(iso), None
    if len(facts.images) == 1:
        with open_root(str(iso)) as tree:
            system = None if tree is None else read_live_system(tree)
    with open_stick(path) as stick:
        place = look_at(stick.device, iso)
        drivers = drivers_on(stick.filesystem, facts.images[0] if facts.images else None)
        return operation.plan(request, facts, stick, name, place, system, drivers=drivers)
