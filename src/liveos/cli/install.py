# SPDX-License-Identifier: Apache-2.0
"""``liveos install``: an image onto a stick, or into a file that can become one."""

import shlex
from contextlib import ExitStack
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from liveos.cli.home.options import KeyFile
from liveos.cli.options import AllowFixed, DryRun, Yes
from liveos.cli.output import Output
from liveos.errors import ExitStatus, RefusedError, UsageError

if TYPE_CHECKING:
    from liveos.operations.install.stick import InstallRequest
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


Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE", help="An ISO, a stick, STICK:NAME for one image of it, or live."
    ),
]
Targets = Annotated[
    list[Path],
    typer.Argument(
        metavar="TARGET...",
        help="A device, or an image file with --size, several at the same time; to add to what is"
        " there, live, or where LIVE of the stick is mounted.",
        readable=False,  # who may not open a device may still have udisks2 open it
    ),
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
CopyOverlay = Annotated[
    bool,
    typer.Option(
        "--copy-overlay", help="Bring along the changes that SOURCE keeps in its overlay."
    ),
]
CopyHome = Annotated[
    bool, typer.Option("--copy-home", help="Bring along the home of SOURCE, encrypted or not.")
]
Label = Annotated[
    str | None, typer.Option("--label", metavar="TEXT", help="Label of the filesystem LIVE.")
]
Add = Annotated[
    bool,
    typer.Option("--add", help="Put the image beside those that the stick TARGET has."),
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
Serial = Annotated[
    list[str] | None,
    typer.Option(
        "--serial",
        metavar="SERIAL",
        help="The serial number that a device must have; --yes asks for it.",
    ),
]
NoEject = Annotated[
    bool, typer.Option("--no-eject", help="Leave a finished stick attached to this machine.")
]


def install(
    output: Output,
    source: Source,
    targets: Targets,
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
    copy_overlay: CopyOverlay = False,
    copy_home: CopyHome = False,
    swap: Swap = None,
    table: TableOption = TableKind.GPT,
    layout: LayoutOption = LayoutKind.SPLIT,
    filesystem: FilesystemOption = None,
    f2fs_features: F2fsFeatures = None,
    data: DataOption = None,
    data_filesystem: DataFilesystemOption = None,
    bootloader: BootloaderOption = BootloaderKind.GRUB,
    label: Label = None,
    name: Name = None,
    kernel_args: KernelArguments = None,
    timeout: Timeout = None,
    no_bios: NoBios = False,
    no_verify: NoVerify = False,
    serial: Serial = None,
    allow_fixed: AllowFixed = False,
    no_eject: NoEject = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> ExitStatus:
    """Install an image on a stick, with room to keep changes."""
    from liveos.cli.consent import consent_to_all, show_plans
    from liveos.cli.install_add import plan_addition, require_new_stick_alone
    from liveos.cli.install_home import home_request, needs_key, wish, with_key
    from liveos.cli.install_layout import bootloader_named, data_request, live_filesystem
    from liveos.cli.installation import carry_out
    from liveos.medium.model import PersistenceKind
    from liveos.medium.running import is_live
    from liveos.operations.install import planning as operation
    from liveos.operations.install.layout import Table
    from liveos.sizes import parse_bytes, parse_size

    single = layout is LayoutKind.SINGLE
    add = add or (len(targets) == 1 and is_live(targets[0]))
    if add:
        require_new_stick_alone(
            {
                "--size": size is not None,
                "--erase": erase,
                "--table": table is not TableKind.GPT,
                "--layout": single,
                "--filesystem": filesystem is not None,
                "--f2fs-features": f2fs_features is not None,
                "--data": data is not None,
                "--data-filesystem": data_filesystem is not None,
                "--bootloader": bootloader is not BootloaderKind.GRUB,
                "--label": label is not None,
                "--timeout": timeout is not None,
                "--no-bios": no_bios,
                "--copy-overlay": copy_overlay,
                "--copy-home": copy_home,
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
        table=Table(table),
        single=single,
        filesystem=live_filesystem(filesystem, f2fs_features, single=single),
        bootloader=bootloader_named(bootloader),
        data=data_request(data, data_filesystem),
        label=label,
        name=name or "LiveOS",
        kernel_arguments=kernel_words(kernel_args or ""),
        bios=not no_bios,
        verify=not no_verify,
        timeout=5 if timeout is None else timeout,
        serials=tuple(serial or ()),
        allow_fixed=allow_fixed,
        eject=not no_eject,
    )
    if add:
        plans = [plan_addition(request, source, targets, name)]
    else:
        plans = _plans(request, source, targets, overlay=copy_overlay, home=copy_home)
    if dry_run:
        show_plans(output, plans)
        return ExitStatus.DONE
    if yes:
        for plan in plans:
            _require_serial(plan, request.serials)
    with ExitStack() as stack:
        if needs_key(request):
            plans = stack.enter_context(with_key(plans, key_file))
        consent_to_all(output, plans, yes=yes)
        return carry_out(output, plans, targets)


def _require_serial(plan: "Plan", serials: tuple[str, ...]) -> None:
    """A script must know which device it overwrites: names change from one day to the next."""
    device = None if plan.target is None else plan.target.device
    if device is None or device.serial is None or device.serial in serials:
        return
    raise RefusedError(
        f"{device.path} is {device.made_by}: with --yes it must be named by that number, too",
        hint=f"add --serial {shlex.quote(device.serial)} if everything on it may be lost",
    )


def _plans(
    request: "InstallRequest", words: str, targets: list[Path], *, overlay: bool, home: bool
) -> "list[Plan]":
    """One plan for each target, with identities of its own."""
    from liveos.cli.install_add import drivers_on, read_system
    from liveos.host.target import look_at
    from liveos.medium.running import require_other_disk
    from liveos.medium.sources import find_source
    from liveos.operations.carry.facts import carried_from
    from liveos.operations.install import planning as operation
    from liveos.operations.together import check_distinct

    for target in targets:
        require_other_disk(str(target))
    source = find_source(words)
    carried = carried_from(source, overlay=overlay, home=home)
    if (overlay or home) and len(targets) > 1:
        raise UsageError(
            "an overlay or a home can be brought along to one stick at a time",
            hint="install the others by themselves",
        )
    system = read_system(request, source, home=home)
    drivers = drivers_on(request.filesystem.name, source.image)
    plans = []
    for target in targets:
        own = replace(request, identities=operation.Identities.random())
        place = look_at(target, source.medium.path)
        plans.append(operation.plan(own, source.medium, place, system, carried, drivers=drivers))
    check_distinct(plans)
    return plans


def kernel_words(text: str) -> tuple[str, ...]:
    """Words of a kernel line, quoted as for a shell."""
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise UsageError(f"--kernel-args: {error}", hint="close every quotation mark") from error
