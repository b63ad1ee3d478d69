# SPDX-License-Identifier: Apache-2.0
"""Sticks of our layout with a tiny image that has no overlay, or one; made by other programs."""

import json
import subprocess
from pathlib import Path

import numpy as np

from liveos.host.volumes import Ext4Volume, FatVolume
from liveos.operations.menus.text import MENU, MenuEntry, image_menu, stick_menu
from tests.tools.medium.media import ESP, LINUX, make_disk, make_ext4, make_fat
from tests.tools.operations.overlay.stores import run
from tests.unit.medium.eras import MODERN, initramfs, kernel

MIB = 1 << 20
_BLOCK = 4096
VERSION = "6.1.0-50-amd64"
ESP_SIZE = 2 * MIB
NAME = "Rescue"
"""Not the usual one, so that nothing finds its way by chance."""


class Stick:
    """A stick's file, and what other programs see on it."""

    def __init__(self, path: Path, uuid: str, size: int) -> None:
        self.path = path
        self.uuid = uuid
        self.esp = FatVolume(path, MIB, ESP_SIZE)
        self.live = Ext4Volume(path, MIB + ESP_SIZE, size)

    @property
    def overlay(self) -> str:
        return f"overlay-LIVE-{self.uuid}"

    def menu(self) -> str:
        where = f"{self.path}@@{self.esp.offset}"
        return run("mtype", "-i", where, f"::/liveos/{NAME}/menu.cfg").decode()

    def debugfs(self, request: str) -> str:
        return run("debugfs", "-R", request, str(self.live)).decode()

    def record(self) -> dict[str, object]:
        facts: dict[str, object] = json.loads(self.debugfs(f"cat /{NAME}/image.json"))
        return facts

    def names(self) -> set[str]:
        rows = self.debugfs(f"ls -p /{NAME}").splitlines()
        return {row.split("/")[5] for row in rows if row} - {".", ".."}

    def become(self, state: bytes) -> None:
        """Give the file other content; only the blocks that differ are written, which is quick."""
        with self.path.open("r+b") as file:
            old = np.frombuffer(file.read(), np.uint8).reshape(-1, _BLOCK)
            new = np.frombuffer(state, np.uint8).reshape(-1, _BLOCK)
            for block in np.flatnonzero((old != new).any(axis=1)).tolist():
                file.seek(block * _BLOCK)
                file.write(new[block].tobytes())

    def replay(self) -> None:
        """What a kernel does before it looks."""
        command = ["e2fsck", "-fy", "-E", "journal_only", str(self.live)]
        subprocess.run(command, check=False, capture_output=True)

    def check(self) -> None:
        run("e2fsck", "-fn", str(self.live))

    def esp_faults(self) -> list[str]:
        """What fsck.fat finds, but for clusters that no file has."""
        copy = self.path.with_name("esp.copy")
        with self.path.open("rb") as file:
            file.seek(self.esp.offset)
            copy.write_bytes(file.read(self.esp.size))
        done = subprocess.run(["fsck.fat", "-n", copy], capture_output=True, check=False)
        lines = [line.strip() for line in done.stdout.decode().splitlines()]
        known = ("eclaim", "ree cluster summary", "irty", "Leaving", "fsck.fat", "files, ")
        return [line for line in lines if line and not any(word in line for word in known)]


def options(uuid: str, *more: str) -> tuple[str, ...]:
    place = (f"root=live:UUID={uuid}", "rd.live.image", *more, "quiet", "rw")
    return (*place, f"rd.live.dir={NAME}")


def make_stick(
    scratch: Path,
    *,
    flat: bool = False,
    uncompressed: bool = False,
    dracut: str = "102",
    targeted: bool = False,
    beside: Path | None = None,
    words: tuple[str, ...] = (),
    ours: bool = True,
    size: int = 40 * MIB,
) -> Stick:
    """A stick as an installation with ``--overlay none`` leaves it, or one with another menu.

    ``beside`` holds further files for the image's directory, in a directory ``UUID``, if they are
    to have the filesystem's. ``words`` are further ones of the kernel lines. ``size`` is
    that of LIVE.
    """
    uuid = "6c697665-6f73-4000-8000-00000000002a"
    live = _live_tree(scratch, flat=flat, uncompressed=uncompressed, targeted=targeted)
    boot = " ".join(options(uuid, *words))
    record = {"schema": "liveos/image/1", "name": NAME, "options": boot, "overlay": None, "x": [1]}
    (live / NAME / "image.json").write_text(json.dumps(record))
    if beside is not None:
        run("cp", "-a", f"{beside}/.", live / NAME)
    esp = _esp_tree(scratch, uuid, dracut, words)
    if not ours:
        (esp / f"liveos/{NAME}/menu.cfg").rename(esp / "EFI/BOOT/grub.cfg")
    live_image = make_ext4(scratch / "live.img", live, "LIVE", size)
    run("tune2fs", "-U", uuid, live_image)
    parts = {make_fat(scratch / "esp.img", esp, "LIVE-BOOT", ESP_SIZE): ESP, live_image: LINUX}
    stick = Stick(make_disk(scratch / "stick.img", "gpt", parts), uuid, size)
    stick.check()
    return stick


def _live_tree(scratch: Path, *, flat: bool, uncompressed: bool, targeted: bool) -> Path:
    root, live = scratch / "root", scratch / "live"
    for directory in ("usr/bin", "proc", "etc/skel"):
        (root / directory).mkdir(parents=True)
    if targeted:
        (root / "etc/selinux/targeted/contexts").mkdir(parents=True)
    (live / NAME).mkdir(parents=True)
    if uncompressed:
        make_ext4(live / NAME / "rootfs.img", root, "Anaconda", 8 * MIB)
        return live
    source = root
    if not flat:
        source = scratch / "nested"
        (source / "LiveOS").mkdir(parents=True)
        make_ext4(source / "LiveOS/rootfs.img", root, "Anaconda", 8 * MIB)
    run("mksquashfs", source, live / NAME / "squashfs.img", "-quiet", "-no-progress")
    return live


def _esp_tree(scratch: Path, uuid: str, dracut: str, words: tuple[str, ...]) -> Path:
    esp = scratch / "esp"
    boot = esp / "liveos" / NAME
    boot.mkdir(parents=True)
    (boot / "vmlinuz").write_bytes(kernel(VERSION))
    (boot / "initrd.img").write_bytes(initramfs(dracut, MODERN, VERSION))
    at = f"/liveos/{NAME}"
    start, basic = (
        MenuEntry(title, f"{at}/vmlinuz", (f"{at}/initrd.img",), options(uuid, *extra, *words))
        for title, extra in (("Start", ()), ("Start in basic graphics mode", ("nomodeset",)))
    )
    (boot / "menu.cfg").write_text(image_menu((start, basic), "linux"))
    menu = esp / MENU.lstrip("/")
    menu.parent.mkdir(parents=True)
    menu.write_text(stick_menu((NAME,), "1A2B-3C4D", 5))
    return esp
