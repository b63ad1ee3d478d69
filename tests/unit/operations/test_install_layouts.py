# SPDX-License-Identifier: Apache-2.0
"""What is refused of tables, filesystems and partitions before anything is written."""

import re
from dataclasses import replace
from decimal import Decimal

import pytest

from liveos.errors import LiveosError, NoSpaceError, UnsupportedError, UsageError
from liveos.medium.home.mounting import LiveSystem
from liveos.medium.model import PersistenceKind
from liveos.operations.install.bootloaders import Syslinux
from liveos.operations.install.data import DataRequest
from liveos.operations.install.filesystems import (
    Btrfs,
    Ext4,
    F2fs,
    Fat32,
    LiveFilesystem,
    Xfs,
    size_for,
)
from liveos.operations.install.layout import Table
from liveos.operations.install.overlay import choose_kind
from liveos.operations.install.planning import InstallRequest, plan
from liveos.operations.install.stick import HomeRequest
from liveos.operations.steps.stick import Run
from liveos.sizes import Size
from tests.unit.operations.sources import (
    DEVICE,
    FLAT,
    GIB,
    IDENTITIES,
    MIB,
    NESTED,
    NEW_FILE,
    medium,
)

REQUEST = InstallRequest(identities=IDENTITIES, size=8 * GIB, overlay=Size(bytes=GIB))
NO_SELINUX = LiveSystem(systemd=252)
LIVESYS = LiveSystem(livesys="/usr/libexec/livesys/livesys-main", systemd=252)
ALL = (Ext4(), Fat32(), Btrfs(), F2fs(), Xfs())
LARGE = replace(NESTED, root=replace(NESTED.root, file=replace(NESTED.root.file, size=5 * GIB)))  # type: ignore[type-var]
REFUSED: list[tuple[InstallRequest, type[LiveosError], str]] = [
    (replace(REQUEST, single=True), UsageError, "only partition"),
    (
        replace(REQUEST, single=True, filesystem=Fat32(), home=HomeRequest(partition=True)),
        UsageError,
        "none for a home",
    ),
    (replace(REQUEST, filesystem=Btrfs(), swap=Size(bytes=GIB)), UnsupportedError, "swap"),
    (replace(REQUEST, filesystem=F2fs(), swap=Size(bytes=GIB)), UnsupportedError, "swap"),
    (replace(REQUEST, filesystem=Xfs(), label="THIRTEEN-LONG"), UsageError, "at most|label"),
    (replace(REQUEST, filesystem=Fat32(), label="small"), UsageError, "label"),
    (
        replace(REQUEST, filesystem=Fat32(), overlay_kind=PersistenceKind.DIRECTORY),
        UnsupportedError,
        "neither owners",
    ),
    (replace(REQUEST, filesystem=Fat32(), overlay=Size(bytes=5 * GIB)), NoSpaceError, "one file"),
    (replace(REQUEST, bios=False, bootloader=Syslinux()), UsageError, "SYSLINUX is for BIOS"),
    (replace(REQUEST, data=DataRequest(Size(bytes=7 * GIB))), NoSpaceError, "too small"),
    (
        replace(REQUEST, data=DataRequest(Size(percent=Decimal("0.1")))),
        NoSpaceError,
        "of no use|to be of use",
    ),
    (
        replace(REQUEST, overlay=Size(percent=Decimal(10)), data=DataRequest(Size())),
        UsageError,
        "the rest is for data only",
    ),
]


@pytest.mark.parametrize(("request_", "kind", "words"), REFUSED)
def test_what_cannot_be_is_refused(
    request_: InstallRequest, kind: type[LiveosError], words: str
) -> None:
    with pytest.raises(kind, match=words):
        plan(request_, medium(), NEW_FILE, NO_SELINUX)


def test_data_takes_what_live_does_not_need() -> None:
    request = replace(REQUEST, data=DataRequest(Size()))
    table = dict(plan(request, medium(), NEW_FILE).layout)
    needed = table["LIVE: squashfs.img"] + table["LIVE: overlay"]
    assert needed < table["LIVE"] < needed + 100 * MIB
    assert sum(table[name] for name in ("ESP", "LIVE", "DATA")) > 8 * GIB - 20 * MIB


def test_data_lies_behind_the_home() -> None:
    home = HomeRequest(Size(bytes=GIB), encrypted=False, partition=True)
    request = replace(REQUEST, home=home, data=DataRequest(Size(bytes=GIB)), table=Table.MSDOS)
    script = next(
        step.script
        for step in plan(request, medium(), NEW_FILE, LIVESYS).steps
        if isinstance(step, Run)
    )
    starts = [int(start) for start in re.findall(r"start=(\d+)KiB", script)]
    assert starts == sorted(starts)
    assert re.findall(r"type=(\w+)", script) == ["ef", "83", "83", "7"]


def test_an_image_that_is_too_large_for_fat() -> None:
    with pytest.raises(UnsupportedError, match="files of up to"):
        plan(replace(REQUEST, filesystem=Fat32(), size=16 * GIB), medium(LARGE), NEW_FILE)


def test_a_table_that_is_too_small_for_the_disk() -> None:
    disk = replace(DEVICE, size=3000 * GIB)
    request = replace(REQUEST, size=None, erase=True, table=Table.MSDOS)
    with pytest.raises(UnsupportedError, match="msdos cannot describe"):
        plan(request, medium(), disk)


def test_an_initramfs_without_the_driver() -> None:
    request = replace(REQUEST, filesystem=Xfs())
    with pytest.raises(UnsupportedError, match="no driver for xfs"):
        plan(request, medium(), NEW_FILE, NO_SELINUX, drivers=frozenset({"ext4", "btrfs"}))
    assert plan(request, medium(), NEW_FILE, NO_SELINUX, drivers=frozenset({"xfs"})).steps


def test_room_for_what_is_gathered() -> None:
    request, little = replace(REQUEST, filesystem=Btrfs()), replace(NEW_FILE, free=GIB)
    with pytest.raises(NoSpaceError, match="for a while"):
        plan(request, medium(), little, NO_SELINUX)
    assert any(
        "must have 1.8 GiB free" in note
        for note in plan(replace(request, overlay=Size()), medium(FLAT), NEW_FILE, NO_SELINUX).notes
    )


@pytest.mark.parametrize(
    ("filesystem", "nested", "flat"),
    [
        (Ext4(), PersistenceKind.SNAPSHOT, PersistenceKind.DIRECTORY),
        (Fat32(), PersistenceKind.SNAPSHOT, PersistenceKind.IMAGE),
        (Xfs(), PersistenceKind.SNAPSHOT, PersistenceKind.DIRECTORY),
        (Btrfs(), PersistenceKind.DIRECTORY, PersistenceKind.DIRECTORY),
    ],
)
def test_the_overlay_suits_image_and_filesystem(
    filesystem: LiveFilesystem, nested: PersistenceKind, flat: PersistenceKind
) -> None:
    assert choose_kind(NESTED, None, filesystem) is nested
    assert choose_kind(FLAT, None, filesystem) is flat


def test_selinux_wants_a_directory_that_can_be_labelled() -> None:
    assert choose_kind(FLAT, None, Btrfs(), targeted=True) is PersistenceKind.IMAGE
    assert choose_kind(FLAT, None, Ext4(), targeted=True) is PersistenceKind.DIRECTORY


@pytest.mark.parametrize("filesystem", ALL)
def test_a_size_that_is_named_holds_the_contents(filesystem: LiveFilesystem) -> None:
    for contents in (MIB, 100 * MIB, 3 * GIB, 100 * GIB):
        size = size_for(filesystem, contents)
        assert filesystem.capacity(size) >= contents
        assert size >= filesystem.least
