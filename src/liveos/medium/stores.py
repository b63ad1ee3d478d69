# SPDX-License-Identifier: Apache-2.0
"""Home and swap of an image: files beside it, or the partition that is for homes."""

from collections.abc import Iterable, Iterator

from liveos.formats.binary import FormatError
from liveos.formats.identify import Kind, identify
from liveos.medium.model import Entry, Partition, Store
from liveos.medium.volume import Volume
from liveos.report import Finding, Severity

HOME_NAME, SWAP_NAME = "home.img", "swap.img"
"""What livesys looks for in the directory of its image."""
HOME_TYPE = "933ac7e1-2eb4-4f13-b844-0e14e2aef915"
"""The partition type of /home (UAPI group, Discoverable Partitions Specification)."""
_HOME_PARTITION = "HOME"
_ENCRYPTED = frozenset({Kind.LUKS, Kind.ENCRYPTING})
BACKUP_TABLE = 1 << 20
"""What is left alone at the end of a disk, where a GPT has its backup."""


def store_in(volume: Volume, path: str) -> Store | None:
    """The file at a path, by what its bytes are; None where there is none."""
    node = volume.find_file(path)
    if node is None:
        return None
    try:
        identity = identify(volume.tree.open(node))
    except FormatError:
        return Store(node.path, node.size)
    if identity is None:
        return Store(node.path, node.size, encrypted=False)
    return Store(
        node.path,
        node.size,
        identity.kind is Kind.LUKS,
        str(identity.kind),
        identity.label,
        identity.uuid,
    )


def home_partition(partitions: Iterable[Partition]) -> Store | None:
    """The first partition of the type for homes, or else of the name HOME."""
    typed = (each for each in partitions if each.type.lower() == HOME_TYPE)
    named = (each for each in partitions if each.name == _HOME_PARTITION)
    found = next(typed, None) or next(named, None)
    if found is None:
        return None
    return Store(
        f"partition {found.number}",
        found.size,
        None if found.filesystem is None else found.filesystem in _ENCRYPTED,
        found.filesystem,
        found.label,
        found.uuid,
        found.number,
    )


def room_behind(partitions: Iterable[Partition], offset: int, size: int | None) -> int:
    """Bytes from ``offset`` on that no partition has, on a disk of ``size`` bytes, with a GPT."""
    starts = (each.offset for each in partitions if each.offset >= offset)
    end = min((*starts, (size or 0) - BACKUP_TABLE))
    return max(0, end - offset)


def home_of(
    file: Store | None,
    partition: Store | None,
    entries: Iterable[Entry],
    all_entries: Iterable[Entry] = (),
) -> Store | None:
    """Which of two homes is an image's: what its kernel lines name, else the file beside it.

    A partition that only other entries of the stick name belongs to another image.
    """
    if partition is None or _is_named(partition, entries):
        return partition or file
    if file is not None:
        return file
    return None if _is_named(partition, all_entries) else partition


def _is_named(partition: Store, entries: Iterable[Entry]) -> bool:
    uuid = partition.uuid
    return uuid is not None and any(uuid in word for entry in entries for word in entry.options)


def swap_findings(volume: Volume, swap: Store) -> Iterator[Finding]:
    """What keeps the kernel from using a swap file: swapon(8), under "Files with holes"."""
    if swap.filesystem != Kind.SWAP:
        yield Finding(
            "swap-without-header",
            Severity.WARNING,
            f"{swap.path}: it has no header of swap space, so the system will not use it",
            "mkswap writes one",
        )
    node = volume.find_file(swap.path)
    allocated = None if node is None else volume.tree.allocated(node)
    if allocated is not None and allocated < swap.size:
        yield Finding(
            "swap-with-holes",
            Severity.WARNING,
            f"{swap.path}: it has holes, and the kernel takes no swap file that has",
            "write zeros to all of it, then mkswap",
        )
