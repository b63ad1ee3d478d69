# SPDX-License-Identifier: Apache-2.0
"""``liveos install``: an image onto a stick, or into a file that can become one."""

import shlex
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from liveos.cli.options import DryRun, Yes
from liveos.cli.output import Output
from liveos.errors import UsageError

if TYPE_CHECKING:
    from liveos.operations.plan import Plan


class OverlayKind(StrEnum):
    """How changes are kept; ``auto`` takes what suits the image."""

    AUTO = "auto"
    SNAPSHOT = "snapshot"
    DIRECTORY = "directory"


Source = Annotated[Path, typer.Argument(metavar="SOURCE", help="An ISO or another LiveOS medium.")]
Target = Annotated[
    Path, typer.Argument(metavar="TARGET", help="A device, or an image file with --size.")
]
SizeOption = Annotated[
    str | None, typer.Option("--size", metavar="SIZE", help="Make a new image file of this size.")
]
Erase = Annotated[bool, typer.Option("--erase", help="Allow to overwrite what is at TARGET.")]
OverlayOption = Annotated[
    str,
    typer.Option(
        "--overlay", metavar="SIZE", help="Room to keep changes in: 4G, 50%, rest or none."
    ),
]
KindOption = Annotated[OverlayKind, typer.Option("--overlay-kind", help="How changes are kept.")]
Label = Annotated[
    str | None, typer.Option("--label", metavar="TEXT", help="Label of the filesystem LIVE.")
]
Name = Annotated[
    str, typer.Option("--name", metavar="NAME", help="The image's directory on the stick.")
]
KernelArguments = Annotated[
    str | None,
    typer.Option("--kernel-args", metavar="WORDS", help="Words to add to the kernel line."),
]
Timeout = Annotated[
    int, typer.Option("--timeout", metavar="SECONDS", min=0, help="How long the menu waits.")
]
NoBios = Annotated[bool, typer.Option("--no-bios", help="Install no boot loader for BIOS.")]
NoVerify = Annotated[
    bool, typer.Option("--no-verify", help="Do not check the source's implanted MD5 sum.")
]


def install(
    output: Output,
    source: Source,
    target: Target,
    *,
    size: SizeOption = None,
    erase: Erase = False,
    overlay: OverlayOption = "rest",
    overlay_kind: KindOption = OverlayKind.AUTO,
    label: Label = None,
    name: Name = "LiveOS",
    kernel_args: KernelArguments = None,
    timeout: Timeout = 5,
    no_bios: NoBios = False,
    no_verify: NoVerify = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Install an image on a stick, with room to keep changes."""
    from liveos.cli.consent import consent, show_plan
    from liveos.host.target import look_at
    from liveos.medium.inspect import inspect
    from liveos.medium.model import PersistenceKind
    from liveos.operations.install import planning as operation
    from liveos.sizes import parse_bytes, parse_size

    request = operation.InstallRequest(
        size=None if size is None else parse_bytes(size),
        erase=erase,
        overlay=None if overlay == "none" else parse_size(overlay),
        overlay_kind=None if overlay_kind == "auto" else PersistenceKind(overlay_kind),
        label=label,
        name=name,
        kernel_arguments=_kernel_words(kernel_args or ""),
        bios=not no_bios,
        verify=not no_verify,
        timeout=timeout,
    )
    plan = operation.plan(request, inspect(source), look_at(target, source))
    if dry_run:
        show_plan(output, plan)
        return
    consent(output, plan, yes=yes)
    _carry_out(output, plan, target)


def _kernel_words(text: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise UsageError(f"--kernel-args: {error}", hint="close every quotation mark") from error


def _carry_out(output: Output, plan: "Plan", target: Path) -> None:
    from liveos.cli.progress import reporter
    from liveos.cli.text import duration
    from liveos.operations.execute import execute

    start = time.monotonic()
    with reporter(output) as chosen:
        execute(plan, chosen)
    seconds = time.monotonic() - start
    if output.as_json:
        output.document("install", {"target": str(target), "seconds": round(seconds, 1)})
        return
    stick = shlex.quote(str(target))
    output.show(f"{target} is ready ({duration(seconds)}).")
    if not output.quiet:
        output.note(f"Next: liveos boot {stick} starts it in a virtual machine;")
        output.note(f"      liveos prove {stick} shows that it boots and remembers.")
