# SPDX-License-Identifier: Apache-2.0
"""Which memory an image can have: boot-contract.md section 7, by what its initramfs can do."""

from dataclasses import replace
from pathlib import Path

import pytest

from liveos.medium import dracut
from liveos.medium.family import family_of_options
from liveos.medium.model import Container, Family, FileRef, Initramfs, PersistenceKind, Root
from liveos.medium.persistence import persistence_of, usable_kinds

SNAPSHOT = PersistenceKind.SNAPSHOT
DIRECTORY = PersistenceKind.DIRECTORY
IMAGE = PersistenceKind.IMAGE
DIRECT = PersistenceKind.DIRECT
LIVE = ("base", "dmsquash-live", "overlayfs")


def root(container: Container, nested: str | None) -> Root:
    return Root(None, container, None, nested, "ext4", None, None, None, None, 0)


NESTED = root(Container.SQUASHFS, "LiveOS/rootfs.img")
FLAT = root(Container.SQUASHFS, None)
FLAT_EROFS = root(Container.EROFS, None)
BARE = root(Container.NONE, None)


def initramfs(version: str | None, modules: tuple[str, ...] = LIVE) -> Initramfs:
    return Initramfs(FileRef("/initrd.img", 1, Path("x.iso")), version, modules, None)


@pytest.mark.parametrize(
    ("packed", "version", "usable"),
    [
        (NESTED, "004", {SNAPSHOT}),
        (NESTED, "043", {SNAPSHOT}),
        (NESTED, "044", {SNAPSHOT, DIRECT}),
        (NESTED, "045", {SNAPSHOT, DIRECTORY, IMAGE, DIRECT}),
        (NESTED, "059-4", {SNAPSHOT, DIRECTORY, IMAGE, DIRECT}),
        (NESTED, "112", {SNAPSHOT, DIRECTORY, IMAGE, DIRECT}),
        (NESTED, None, {SNAPSHOT}),
        (BARE, "059-4", {SNAPSHOT, DIRECTORY, IMAGE, DIRECT}),
        (FLAT, "048", set()),
        (FLAT, "049", {DIRECTORY, IMAGE}),
        (FLAT, "106", {DIRECTORY, IMAGE}),
        (FLAT, None, set()),
        (FLAT_EROFS, "102", set()),
        (FLAT_EROFS, "103", {DIRECTORY, IMAGE}),
        (FLAT_EROFS, "110+suse.5", {DIRECTORY, IMAGE}),
    ],
)
def test_by_layout_and_release(
    packed: Root, version: str | None, usable: set[PersistenceKind]
) -> None:
    options = persistence_of(packed, initramfs(version), Family.DMSQUASH)
    assert set(usable_kinds(options)) == usable
    assert all((option.reason is None) == option.usable for option in options)
    assert [option.kind for option in options] == list(PersistenceKind)


@pytest.mark.parametrize("family", sorted(set(Family) - {Family.DMSQUASH}))
def test_other_schemes_have_none(family: Family) -> None:
    assert not usable_kinds(persistence_of(NESTED, initramfs("059"), family))


@pytest.mark.parametrize(
    ("packed", "version", "words"),
    [
        (FLAT, "106", "no filesystem in it that could be written to"),
        (FLAT_EROFS, "110", "the erofs image holds the root directly"),
        (replace(NESTED, filesystem="iso9660"), "059", "the type iso9660"),
        (NESTED, "043", "dracut 043 cannot write through an uncompressed root (044 can)"),
        (NESTED, None, "does not say which dracut"),
    ],
)
def test_why_nothing_is_written_through(packed: Root, version: str | None, words: str) -> None:
    options = persistence_of(packed, initramfs(version), Family.DMSQUASH)
    assert words in str(options[-1].reason)


def test_missing_modules() -> None:
    no_live = persistence_of(NESTED, initramfs("059", ("base",)), Family.DMSQUASH)
    assert {option.reason for option in no_live} == {"its initramfs has no dmsquash-live module"}
    no_overlayfs = initramfs("059", ("base", "dmsquash-live"))
    usable = usable_kinds(persistence_of(NESTED, no_overlayfs, Family.DMSQUASH))
    assert usable == (SNAPSHOT, DIRECT)
    assert not usable_kinds(persistence_of(NESTED, None, Family.DMSQUASH))


@pytest.mark.parametrize(
    ("version", "number"),
    [("059-4", 59), ("106", 106), ("110+suse.36.g1", 110), ("004", 4), ("dracut-033-572.el7", 33),
     (None, None), ("", None), ("git", None)],
)  # fmt: skip
def test_releases_are_numbers(version: str | None, number: int | None) -> None:
    assert dracut.release(version) == number


@pytest.mark.parametrize(
    ("line", "family"),
    [
        ("root=live:CDLABEL=x rd.live.image", Family.DMSQUASH),
        ("boot=live components root=live:CDLABEL=x rd.live.dir=live", Family.DMSQUASH),
        ("boot=live components quiet", Family.LIVE_BOOT),
        ("root=CDLABEL=F9 rootfstype=iso9660 ro liveimg", Family.MKINITRD),
        ("root=live:CDLABEL=x rd.live.image rd.live.overlay.persistent", Family.KIWI),
        ("inst.stage2=hd:LABEL=Fedora-S-dvd-x86_64-36 quiet", Family.INSTALLER),
        ("root=/dev/sda1 ro", Family.UNKNOWN),
        ("", Family.UNKNOWN),
    ],
)
def test_families(line: str, family: Family) -> None:
    assert family_of_options(line.split()) is family
