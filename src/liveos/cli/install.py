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


class Filesystem(StrEnum):
    """What LIVE can be."""

    EXT4 = "ext4"
    BTRFS = "btrfs"
    XFS = "xfs"
    F2FS = "f2fs"
    FAT32 = "fat32"


class TableKind(StrEnum):
    """The kinds of partition tables."""

    GPT = "gpt"
    MSDOS = "msdos"


class BootloaderKind(StrEnum):
    """What starts a stick."""

    GRUB = "grub"
    SYSLINUX = "syslinux"
    EFI_STUB = "efi-stub"


class DataKind(StrEnum):
    """What a partition for data can be."""

    EXFAT = "exfat"
    FAT32 = "fat32"
    EXT4 = "ext4"


class LayoutKind(StrEnum):
    """How many partitions there are."""

    SPLIT = "split"
    SINGLE = "single"


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
TableOption = Annotated[TableKind, typer.Option("--table", help="The kind of partition table.")]
LayoutOption = Annotated[
    LayoutKind,
    typer.Option("--layout", help="ESP and LIVE apart, or a single FAT32 partition for all."),
]
FilesystemOption = Annotated[
    Filesystem | None,
    typer.Option(
        "--filesystem",
        help="What LIVE is: ext4, or fat32 with --layout single, if nothing is said.",
        show_default=False,
    ),
]
F2fsFeatures = Annotated[
    str | None,
    typer.Option(
        "--f2fs-features",
        metavar="LIST",
        help="Features of mkfs.f2fs, such as extra_attr,compression.",
    ),
]
DataOption = Annotated[
    str | None,
    typer.Option(
        "--data", metavar="SIZE", help="Make a partition for the owner's files: 8G, 30% or rest."
    ),
]
DataFilesystemOption = Annotated[
    DataKind | None,
    typer.Option(
        "--data-filesystem",
        help="What that partition is: exfat, if nothing is said.",
        show_default=False,
    ),
]
BootloaderOption = Annotated[
    BootloaderKind,
    typer.Option(
        "--bootloader",
        help="What starts it: grub; syslinux on BIOS; or on UEFI a kernel by itself, efi-stub.",
    ),
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
    table: TableOption = TableKind.GPT,
    layout: LayoutOption = LayoutKind.SPLIT,
    filesystem: FilesystemOption = None,
    f2fs_features: F2fsFeatures = None,
    data: DataOption = None,
    data_filesystem: DataFilesystemOption = None,
    bootloader: BootloaderOption = BootloaderKind.GRUB,
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
    from liveos.cli.install_home import home_request, needs_key, wish, with_key
    from liveos.cli.install_layout import bootloader_named, data_request, live_filesystem
    from liveos.medium.model import PersistenceKind
    from liveos.operations.install import planning as operation
    from liveos.operations.install.layout import Table
    from liveos.sizes import parse_bytes, parse_size

    single = layout is LayoutKind.SINGLE
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
        table=Table(table),
        single=single,
        filesystem=live_filesystem(filesystem, f2fs_features, single=single),
        bootloader=bootloader_named(bootloader),
        data=data_request(data, data_filesystem),
        label=label,
        name=name,
        kernel_arguments=_kernel_words(kernel_args or ""),
        bios=not no_bios,
        verify=not no_verify,
        timeout=timeout,
    )
    plan = _plan(request, source, target)
    if dry_run:
        show_plan(output, plan)
        return
    with ExitStack() as stack:
        if needs_key(request):
            plan = stack.enter_context(with_key(plan, key_file))
        consent(output, plan, yes=yes)
        _carry_out(output, plan, target)


def _plan(request: "InstallRequest", source: Path, target: Path) -> "Plan":
    from liveos.host.target import look_at
    from liveos.medium.drivers import drivers_of
    from liveos.medium.home.locate import open_root
    from liveos.medium.home.mounting import read_live_system
    from liveos.medium.inspect import inspect
    from liveos.operations.install import planning as operation

    facts, place, system, drivers = inspect(source), look_at(target, source), None, None
    if len(facts.images) == 1 and request.looks_into_root:
        with open_root(str(source)) as tree:
            system = None if tree is None else read_live_system(tree)
    if len(facts.images) == 1 and request.filesystem.name != "ext4":
        drivers = drivers_of(facts.images[0])
    return operation.plan(request, facts, place, system, drivers)


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
