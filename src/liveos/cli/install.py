# SPDX-License-Identifier: Apache-2.0
"""``liveos install``: an image onto a stick, or into a file that can become one."""

import shlex
import time
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from liveos.cli.home.options import KeyFile
from liveos.cli.options import DryRun, Yes
from liveos.cli.output import Output
from liveos.errors import UsageError

if TYPE_CHECKING:
    from liveos.operations.install import InstallRequest
    from liveos.operations.plan import Plan


class OverlayKind(StrEnum):
    """How changes are kept; ``auto`` takes what suits the image."""

    AUTO = "auto"
    SNAPSHOT = "snapshot"
    DIRECTORY = "directory"
    IMAGE = "image"
    DIRECT = "direct"


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
        "--overlay", metavar="SIZE", help="Room to keep changes in: 4G, 50%, rest, auto or none."
    ),
]
KindOption = Annotated[
    OverlayKind,
    typer.Option(
        "--overlay-kind",
        help="How changes are kept: auto takes what suits the image; direct writes to its root.",
    ),
]
ReadOnly = Annotated[
    bool,
    typer.Option(
        "--read-only-overlay",
        help="Keep changes only when that is chosen in the menu; use earlier ones always.",
    ),
]
Temporary = Annotated[
    str | None,
    typer.Option(
        "--temporary",
        metavar="SIZE",
        help="Room in memory where changes are not kept, of images with a snapshot overlay.",
    ),
]
Uncompressed = Annotated[
    bool,
    typer.Option("--uncompressed", help="Unpack the root, so that nothing is decompressed later."),
]
Swap = Annotated[
    str | None,
    typer.Option("--swap", metavar="SIZE", help="Make swap space of this size: 2G, 10% or rest."),
]
HomeSize = Annotated[
    str | None,
    typer.Option("--home", metavar="SIZE", help="Make a home of its own: 4G, 30%, rest or auto."),
]
HomePartition = Annotated[
    bool, typer.Option("--home-partition", help="Give the home a partition instead of a file.")
]
PlainHome = Annotated[bool, typer.Option("--plain-home", help="Do not encrypt the home.")]
Label = Annotated[
    str | None, typer.Option("--label", metavar="TEXT", help="Label of the filesystem LIVE.")
]
Add = Annotated[
    bool,
    typer.Option("--add", help="Put the image beside those that TARGET, a stick of ours, has."),
]
Name = Annotated[
    str | None,
    typer.Option(
        "--name",
        metavar="NAME",
        help="The image's directory on the stick: LiveOS; with --add, what SOURCE is called.",
    ),
]
KernelArguments = Annotated[
    str | None,
    typer.Option("--kernel-args", metavar="WORDS", help="Words to add to the kernel line."),
]
Timeout = Annotated[
    int | None,
    typer.Option("--timeout", metavar="SECONDS", min=0, help="How long the menu waits; else 5."),
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
    add: Add = False,
    size: SizeOption = None,
    erase: Erase = False,
    overlay: OverlayOption = "auto",
    overlay_kind: KindOption = OverlayKind.AUTO,
    read_only_overlay: ReadOnly = False,
    temporary: Temporary = None,
    uncompressed: Uncompressed = False,
    home: HomeSize = None,
    home_partition: HomePartition = False,
    plain_home: PlainHome = False,
    key_file: KeyFile = None,
    swap: Swap = None,
    label: Label = None,
    name: Name = None,
    kernel_args: KernelArguments = None,
    timeout: Timeout = None,
    no_bios: NoBios = False,
    no_verify: NoVerify = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Install an image on a stick, with room to keep changes."""
    from liveos.cli.consent import consent, show_plan
    from liveos.cli.install_add import plan_addition, require_new_stick_alone
    from liveos.cli.install_home import home_request, needs_key, wish, with_key
    from liveos.medium.model import PersistenceKind
    from liveos.operations.install import planning as operation
    from liveos.sizes import parse_bytes, parse_size

    if add:
        require_new_stick_alone(
            {
                "--size": size is not None,
                "--erase": erase,
                "--label": label is not None,
                "--timeout": timeout is not None,
                "--no-bios": no_bios,
            }
        )
    request = operation.InstallRequest(
        size=None if size is None else parse_bytes(size),
        erase=erase,
        overlay=None if overlay == "none" else wish(overlay),
        overlay_kind=None if overlay_kind == "auto" else PersistenceKind(overlay_kind),
        readonly=read_only_overlay,
        temporary=None if temporary is None else parse_bytes(temporary),
        uncompressed=uncompressed,
        home=home_request(home, partition=home_partition, plain=plain_home, key_file=key_file),
        swap=None if swap is None else parse_size(swap),
        label=label,
        name=name or "LiveOS",
        kernel_arguments=kernel_words(kernel_args or ""),
        bios=not no_bios,
        verify=not no_verify,
        timeout=5 if timeout is None else timeout,
    )
    plan = plan_addition(request, source, target, name) if add else _plan(request, source, target)
    if dry_run:
        show_plan(output, plan)
        return
    with ExitStack() as stack:
        if needs_key(request):
            plan = stack.enter_context(with_key(plan, key_file))
        consent(output, plan, yes=yes)
        _carry_out(output, plan, target)


def _plan(request: "InstallRequest", source: Path, target: Path) -> "Plan":
    from liveos.cli.install_add import read_system
    from liveos.host.target import look_at
    from liveos.medium.inspect import inspect
    from liveos.operations.install import planning as operation

    facts, place = inspect(source), look_at(target, source)
    return operation.plan(request, facts, place, read_system(request, facts))


def kernel_words(text: str) -> tuple[str, ...]:
    """Words of a kernel line, quoted as for a shell."""
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
