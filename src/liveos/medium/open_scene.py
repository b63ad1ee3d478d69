# SPDX-License-Identifier: Apache-2.0
"""Opening a source: what kind of thing it is, and which filesystems are in it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from liveos.formats.binary import ByteSource, FormatError, Window
from liveos.formats.fat.reader import read_geometry
from liveos.formats.identify import Kind, identify
from liveos.formats.iso9660 import el_torito
from liveos.formats.partitions import PartitionEntry, PartitionTable, read_table
from liveos.host.target import PART_SUFFIX, UNFINISHED_NOTICE
from liveos.medium.model import MediumKind, Partition
from liveos.medium.scene import Scene
from liveos.medium.volume import Volume, open_directory, open_volume
from liveos.report import Finding, Severity

UNFINISHED_MARK = "LIVEOS-UNFINISHED"
"""The file that an installation writes first into the ESP's root and removes last."""

ESP_TYPES = frozenset({"C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "ef"})
"""Types of partitions that UEFI starts from: of a GPT, and of an MBR."""

_NOT_FILESYSTEMS = frozenset({Kind.LUKS, Kind.ENCRYPTING, Kind.SWAP})
# Whole, but nobody here reads them; what is on LIVE is noted on the ESP (``medium.unread``).
_UNREAD = frozenset({Kind.BTRFS, Kind.XFS, Kind.F2FS, Kind.EXFAT, Kind.NTFS})
_BARE = {Kind.SQUASHFS: MediumKind.SQUASHFS, Kind.EROFS: MediumKind.EROFS}


@dataclass(frozen=True, slots=True)
class _Part:
    """A partition as listed, and its filesystem if that can be read."""

    entry: PartitionEntry
    partition: Partition
    volume: Volume | None
    problem: str | None


def scene_of_directory(path: Path) -> Scene:
    """A directory of the host: the files of a medium, copied or mounted somewhere."""
    volume = open_directory(path)
    return Scene(path, MediumKind.DIRECTORY, None, None, (volume,))


def scene_of_file(path: Path, source: ByteSource, mounted: int | None = None) -> Scene:
    """What a file or device holds.

    ``mounted`` is the number of a partition whose filesystem is read elsewhere, by its mount.

    :raises FormatError: nothing that is known, or it is too damaged to begin with.
    """
    identity = identify(source)
    if identity is None and _has_notice(source):  # ended before there was a partition table
        findings = (_unfinished_finding(path),)
        return Scene(path, MediumKind.DISK, None, source.size, findings=findings)
    if identity is None:
        raise FormatError("it holds nothing that is known: no filesystem, no partition table")
    if identity.kind is Kind.ISO9660:
        return _scene_of_iso(path, source)
    if identity.kind in {Kind.GPT, Kind.MBR}:
        return _scene_of_disk(path, source, mounted)
    volume = open_volume(source, path)
    kind = _BARE.get(identity.kind, MediumKind.FILESYSTEM)
    return Scene(path, kind, volume.label, source.size, (volume,))


def _scene_of_iso(path: Path, source: ByteSource) -> Scene:
    volume = open_volume(source, path)
    esp, findings = _esp_of_iso(path, source)
    if volume.size is not None and volume.size > source.size:
        message = f"it has {source.size} bytes of {volume.size}: the end is missing"
        findings = (*findings, Finding("truncated", Severity.FATAL, message, "download it again"))
    volumes = (volume,) if esp is None else (volume, esp)
    parts = _parts(path, source, read_table(source))
    return Scene(
        path,
        MediumKind.ISO,
        volume.label,
        source.size,
        volumes,
        esp,
        tuple(part.partition for part in parts),
        findings,
    )


def _esp_of_iso(path: Path, source: ByteSource) -> tuple[Volume | None, tuple[Finding, ...]]:
    """The FAT image that UEFI starts from, wherever El Torito says that it lies."""
    try:
        for image in el_torito.read_catalogue(source):
            if image.platform == el_torito.Platform.UEFI and image.bootable:
                rest = Window(source, image.offset, source.size - image.offset)
                size = read_geometry(rest).size
                return open_volume(Window(source, image.offset, size), path, image.offset), ()
    except FormatError as error:
        message = f"the EFI boot image cannot be read: {error}"
        return None, (Finding("unreadable-efi-image", Severity.WARNING, message),)
    return None, ()


def _scene_of_disk(path: Path, source: ByteSource, mounted: int | None) -> Scene:
    table = read_table(source)
    parts = list(_parts(path, source, table, mounted))
    volumes = tuple(part.volume for part in parts if part.volume is not None)
    esps = [part.volume for part in parts if part.volume and _is_esp(part)]
    unread = [part for part in parts if part.volume is None and part.problem is not None]
    esp = esps[0] if esps and (len(volumes) > 1 or unread or mounted is not None) else None
    others = [volume for volume in volumes if volume is not esp]
    findings = [*_table_findings(table), *_part_findings(parts)]
    if not volumes:
        message = "it has a partition table, but no filesystem that can be read"
        findings.append(Finding("no-filesystem", Severity.WARNING, message))
    if _is_unfinished(path, source, volumes):
        findings.append(_unfinished_finding(path))
    labels = [*(each.label for each in others), *(each.partition.label for each in unread)]
    label = labels[0] if labels else None
    partitions = tuple(part.partition for part in parts)
    return Scene(
        path, MediumKind.DISK, label, source.size, volumes, esp, partitions, tuple(findings)
    )


def _is_esp(part: _Part) -> bool:
    """Firmware reads FAT alone: livecd-iso-to-disk gives its ext4 that type, too (2.1 there)."""
    is_fat = part.volume is not None and part.volume.filesystem == "vfat"
    return is_fat and part.entry.type in ESP_TYPES


def _parts(
    path: Path, source: ByteSource, table: PartitionTable | None, mounted: int | None = None
) -> Iterator[_Part]:
    for entry in table.partitions if table else ():
        size = max(0, min(entry.size, source.size - entry.offset))
        if not size:
            continue
        window = Window(source, entry.offset, size)
        try:
            identity = identify(window)
        except FormatError:
            identity = None
        volume, problem = None, None
        closed = identity is None or identity.kind in _NOT_FILESYSTEMS
        if not closed and entry.number != mounted:
            try:
                volume = open_volume(window, path, entry.offset)
            except FormatError as error:
                problem = str(error)
        partition = Partition(
            entry.number,
            entry.name,
            entry.type,
            entry.offset,
            entry.size,
            str(identity.kind) if identity else None,
            identity.label if identity else None,
            identity.uuid if identity else None,
        )
        yield _Part(entry, partition, volume, problem)


def _table_findings(table: PartitionTable | None) -> Iterator[Finding]:
    if table is not None and table.damage is not None:
        message = f"the partition table is damaged ({table.damage})"
        yield Finding("damaged-partition-table", Severity.WARNING, message)


def _part_findings(parts: list[_Part]) -> Iterator[Finding]:
    for part in parts:
        if part.problem is not None:
            message = f"partition {part.entry.number}: {part.problem}"
            severity = Severity.INFO if part.partition.filesystem in _UNREAD else Severity.WARNING
            yield Finding("unreadable-partition", severity, message)
        if part.partition.filesystem == Kind.ENCRYPTING:
            message = f"partition {part.entry.number}: its encryption was begun and is not finished"
            repair = "run liveos home encrypt again"
            yield Finding("unfinished-encryption", Severity.WARNING, message, repair)


def _is_unfinished(path: Path, source: ByteSource, volumes: Iterable[Volume]) -> bool:
    """Whether one of the marks is there that an installation removes at its end."""
    marked = any(volume.find_file(f"/{UNFINISHED_MARK}") is not None for volume in volumes)
    return marked or _has_notice(source) or path.name.endswith(PART_SUFFIX)


def _has_notice(source: ByteSource) -> bool:
    length = len(UNFINISHED_NOTICE)
    return source.size >= length and source.read_at(0, length) == UNFINISHED_NOTICE


def _unfinished_finding(path: Path) -> Finding:
    return Finding(
        "unfinished-install",
        Severity.FATAL,
        f"{path} was not finished: an installation was interrupted, and it does not boot",
        "run liveos install again",
    )
