# SPDX-License-Identifier: Apache-2.0
"""What is said against wishes for partition tables and filesystems, before anything is written."""

from collections.abc import Iterator

from liveos.errors import LiveosError, UnsupportedError, UsageError
from liveos.medium.model import Image
from liveos.operations.install.bootloaders import Syslinux
from liveos.operations.install.filesystems import Fat32, LiveFilesystem
from liveos.operations.install.layout import MOST_ON_MSDOS, Table
from liveos.operations.install.payload import Payload
from liveos.operations.install.stick import InstallRequest
from liveos.sizes import format_size

_NO_SWAP = {
    "btrfs": "swap there needs a file without copy-on-write",
    "f2fs": "swap there needs a file that stays where it is",
}


def check_partitions(request: InstallRequest, size: int) -> None:
    """Return if a stick of ``size`` bytes can be divided like this.

    :raises LiveosError: it cannot; says why.
    """
    for problem in (_table(request, size), _single(request), _loader(request)):
        if problem is not None:
            raise problem


def check_usual(request: InstallRequest, what: str) -> None:
    """Return if LIVE is ext4 beside an ESP, and nothing else is there: else ``what`` cannot be had.

    :raises UnsupportedError: it is something else.
    """
    usual = request.filesystem.name == "ext4" and not request.single and request.data is None
    if not usual:
        raise UnsupportedError(
            f"{what} is only made with an ESP and an ext4 LIVE",
            hint="leave out --filesystem, --layout and --data",
        )


def check_filesystem(
    request: InstallRequest, payload: Payload, drivers: frozenset[str] | None
) -> None:
    """Return if the image can start from LIVE; ``drivers`` are those of its initramfs.

    :raises LiveosError: it cannot; says why.
    """
    check_driver(request.filesystem, payload.image, drivers)
    for problem in _filesystem(request, payload):
        raise problem


def check_driver(filesystem: LiveFilesystem, image: Image, drivers: frozenset[str] | None) -> None:
    """:raises UnsupportedError: the image's initramfs, with these drivers, cannot mount it."""
    if drivers is not None and filesystem.name not in drivers:
        raise UnsupportedError(
            f"the initramfs of {image.name} has no driver for {filesystem.name}: it would not find"
            " its root",
            hint="choose a stick of another filesystem, or make the image with that driver",
        )


def _table(request: InstallRequest, size: int) -> LiveosError | None:
    if request.table is Table.MSDOS and size > MOST_ON_MSDOS:
        return UnsupportedError(
            f"a partition table of the kind msdos cannot describe {format_size(size)}",
            hint="leave out --table: a GPT can",
        )
    return None


def _loader(request: InstallRequest) -> LiveosError | None:
    if isinstance(request.bootloader, Syslinux) and not request.bios:
        return UsageError(
            "SYSLINUX is for BIOS, and BIOS is not wished",
            hint="leave out --no-bios, or --bootloader syslinux",
        )
    return None


def _single(request: InstallRequest) -> LiveosError | None:
    if request.single and not isinstance(request.filesystem, Fat32):
        return UsageError(
            f"firmware does not start from {request.filesystem.name}, so it cannot be the only"
            " partition",
            hint="use --filesystem fat32 with --layout single, or leave out one of them",
        )
    if request.single and request.home is not None and request.home.partition:
        return UsageError(
            "a stick with a single partition has none for a home",
            hint="leave out --home-partition, or --layout single",
        )
    return None


def _filesystem(request: InstallRequest, payload: Payload) -> Iterator[LiveosError]:
    filesystem = request.filesystem
    largest = filesystem.largest_file
    if largest is not None and payload.root_size > largest:
        yield UnsupportedError(
            f"{payload.root_name} has {payload.root_size} bytes, and {filesystem.name} takes files"
            f" of up to {largest} bytes",
            hint="choose another --filesystem",
        )
    if request.swap is not None and filesystem.name in _NO_SWAP:
        yield UnsupportedError(
            f"no swap file can be made on {filesystem.name}: {_NO_SWAP[filesystem.name]}",
            hint="leave out --swap, or choose another --filesystem",
        )
