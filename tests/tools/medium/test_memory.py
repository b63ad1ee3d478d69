# SPDX-License-Identifier: Apache-2.0
"""Home and swap beside an image on sticks that the real programs made."""

import mmap
import random
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from liveos.errors import UnsupportedError
from liveos.medium.document import listing_document, to_document
from liveos.medium.inspect import inspect
from liveos.medium.listing import list_images
from liveos.medium.model import Medium
from tests.tools.formats.isos import run
from tests.tools.medium.media import ESP, LINUX, MIB, make_disk, make_ext4, make_fat
from tests.unit.medium.eras import ERAS

pytestmark = pytest.mark.tools

HOME = "933AC7E1-2EB4-4F13-B844-0E14E2AEF915"
UUID = "0b1c2d3e-4f50-4000-8000-000000000001"
MEMORY_CODES = {"home-not-mounted", "swap-not-used", "swap-without-header", "swap-with-holes"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The files of LIVE: an uncompressed root with livesys beside the menu of Fedora 40."""
    tree = ERAS["fedora-40"]().write(tmp_path / "tree")
    root = tmp_path / "root"
    for name in ("usr/libexec/livesys/livesys-main", "proc/empty"):
        (root / name).parent.mkdir(parents=True)
        (root / name).touch()
    (tree / "LiveOS/squashfs.img").unlink()
    make_ext4(tree / "LiveOS/rootfs.img", root, "Anaconda", 4 * MIB)
    return tree


def stick(tmp_path: Path, tree: Path, *more: tuple[Path, str]) -> Medium:
    esp = make_fat(tmp_path / "esp.img", tree, "ESP", 64 * MIB)
    live = make_ext4(tmp_path / "live.img", tree, "LIVE", 64 * MIB)
    places = {esp: ESP, live: LINUX, **dict(more)}
    return inspect(make_disk(tmp_path / "stick.img", "gpt", places))


def codes(medium: Medium) -> set[str]:
    return {finding.code for finding in medium.warnings} & MEMORY_CODES


def make_swap(path: Path) -> Path:
    with path.open("wb") as file:
        file.truncate(2 * MIB)
    run("mkswap", "-q", "-U", UUID, "-L", "SWAP", path)
    return path


def encrypt(path: Path) -> Path:
    run("sh", "-c", f"echo secret | cryptsetup luksFormat -q --batch-mode --disable-locks"
        f" --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --uuid {UUID} {path} -")  # fmt: skip
    return path


def test_swap_is_what_mkswap_made(tree: Path, tmp_path: Path) -> None:
    """What mke2fs copies has holes for blocks of zeros."""
    make_swap(tree / "LiveOS/swap.img")
    medium = stick(tmp_path, tree)
    (swap,) = {image.swap for image in medium.images if image.swap}
    assert (swap.filesystem, swap.label, swap.uuid) == ("swap", "SWAP", UUID)
    assert (swap.path, swap.size) == ("/LiveOS/swap.img", 2 * MIB)
    assert codes(medium) == {"swap-with-holes"}


def test_preallocated_swap_has_no_holes(tree: Path, tmp_path: Path) -> None:
    live = make_ext4(tmp_path / "live.img", tree, "LIVE", 64 * MIB)
    swap = make_swap(tmp_path / "swap.img")
    # debugfs copies holes as they are; its fallocate then makes unwritten extents of them.
    for request in (f"write {swap} LiveOS/swap.img", "fallocate LiveOS/swap.img 0 2047"):
        run("debugfs", "-w", "-R", request, live)
    medium = inspect(live)
    assert medium.images[0].swap is not None
    assert not codes(medium)


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_home_in_a_file(tree: Path, tmp_path: Path, *, encrypted: bool) -> None:
    home = tree / "LiveOS/home.img"
    (tmp_path / "empty").mkdir()
    make_ext4(home, tmp_path / "empty", "HOME", 20 * MIB)
    if encrypted:
        encrypt(home)
    found = stick(tmp_path, tree).images[0].home
    assert found is not None
    assert (found.partition, found.encrypted, found.size) == (None, encrypted, 20 * MIB)
    assert found.filesystem == ("crypto_LUKS" if encrypted else "ext4")
    said = run("blkid", "-p", "-o", "value", "-s", "UUID", home)
    assert found.uuid == said.strip()


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_home_in_a_partition(tree: Path, tmp_path: Path, *, encrypted: bool) -> None:
    (tmp_path / "empty").mkdir()
    home = make_ext4(tmp_path / "home.img", tmp_path / "empty", "HOME", 20 * MIB)
    if encrypted:
        encrypt(home)
    medium = stick(tmp_path, tree, (home, HOME))
    document = to_document(medium)["images"][0]["home"]
    assert (document["place"], document["partition"], document["size"]) == (
        "partition",
        3,
        20 * MIB,
    )
    assert document["encrypted"] is encrypted
    assert document["uuid"] == run("blkid", "-p", "-o", "value", "-s", "UUID", home).strip()
    assert "unreadable-partition" not in {each.code for each in medium.warnings}
    # livesys takes a partition for home only where the kernel line names it.
    finding = next(each for each in medium.warnings if each.code == "home-not-mounted")
    assert f"UUID={document['uuid']}" in (finding.repair or "") or encrypted


def test_an_overlay_image_needs_both_directories(tree: Path, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    (inner / "overlayfs").mkdir(parents=True)
    overlay = tree / "LiveOS/overlay-LIVE-1"
    make_ext4(overlay, inner, "OVERLAY", 4 * MIB)
    messages = {each.code: each.message for each in inspect(tree).warnings}
    assert "no ovlwork" in messages["overlay-without-directories"]
    (inner / "ovlwork").mkdir()
    overlay.unlink()
    make_ext4(overlay, inner, "OVERLAY", 4 * MIB)
    assert "overlay-without-directories" not in {each.code for each in inspect(tree).warnings}
    shutil.rmtree(inner)


def test_damage_anywhere_is_survived_or_refused(tree: Path, tmp_path: Path) -> None:
    """Facts or one kind of error, whatever is wrong with the memory of a stick."""
    live = tree / "LiveOS"
    make_swap(live / "swap.img")
    (live / "overlay-LIVE-1").write_bytes(b"SnAp\1\0\0\0\1\0\0\0\x08\0\0\0" + bytes(1 << 16))
    (tmp_path / "empty").mkdir()
    home = make_ext4(tmp_path / "home.img", tmp_path / "empty", "HOME", 4 * MIB)
    stick(tmp_path, tree, (home, HOME))
    disk = tmp_path / "stick.img"
    places = np.flatnonzero(np.fromfile(disk, np.uint8))
    for seed in range(40):
        chance = random.Random(seed)
        chosen = [int(place) for place in chance.choices(places, k=chance.choice((1, 9, 99, 999)))]
        with disk.open("r+b") as file, mmap.mmap(file.fileno(), 0) as data:
            honest = {place: data[place] for place in chosen}
            for place in chosen:
                data[place] = chance.randrange(256)
            with suppress(UnsupportedError):
                to_document(inspect(disk))
            with suppress(UnsupportedError):
                listing_document(list_images(disk))
            for place, byte in honest.items():
                data[place] = byte
