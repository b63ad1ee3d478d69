# SPDX-License-Identifier: Apache-2.0
"""A stick of which a made-up /proc and /sys say that its LIVE is mounted.

LIVE is a directory there, the ESP a device of its own; other programs look at both.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from liveos.host.target import look_at
from liveos.medium.inspect import inspect
from liveos.medium.stick import OpenStick, open_stick
from liveos.operations.images.plans import add
from liveos.operations.plan import Plan
from tests.tools.operations.images.sticks import SYSTEM, make, request
from tests.tools.operations.overlay.sticks import ESP_SIZE, NAME
from tests.tools.operations.overlay.stores import run


@dataclass(frozen=True)
class Attached:
    """A made-up / of a system, and what other programs see of its stick.

    ``words`` are what a person calls the stick by; its ``filesystem`` is mounted at ``point``.
    """

    root: Path
    words: Path
    point: str
    filesystem: str

    @property
    def live(self) -> Path:
        return self.root / self.point.lstrip("/")

    @property
    def esp(self) -> Path:
        return self.root / "dev/sdb1"

    def mount(self, how: str, *, root: str = "/") -> None:
        number = "0:41" if self.filesystem == "btrfs" else "8:18"
        (self.root / "proc/self/mountinfo").write_text(
            "25 1 254:0 / / rw - ext4 /dev/mapper/live-rw rw\n"
            f"30 25 {number} {root} {self.point} {how} - {self.filesystem} /dev/sdb2 {how}\n"
        )

    def start_from(self) -> None:
        """The image of the stick runs, which shows in the loop device under its root."""
        loop = self.root / "sys/devices/loop0/loop"
        loop.mkdir(parents=True)
        (loop / "backing_file").write_text(f"/run/initramfs/live/{NAME}/squashfs.img\n")
        (loop.parent / "dev").write_text("7:0\n")
        (self.root / "sys/block/loop0").symlink_to(loop.parent)

    @contextmanager
    def opened(self) -> Iterator[OpenStick]:
        with open_stick(self.words, self.root) as stick:
            yield stick

    def plan_add(self, iso: Path, **changes: object) -> Plan:
        with self.opened() as stick:
            target = look_at(stick.device, iso)
            return add.plan(request(**changes), inspect(iso), stick, target, SYSTEM)

    def enlarge_esp(self, scratch: Path) -> None:
        """The same files on a larger one: what is in its device counts."""
        tree, larger = scratch / "tree", scratch / "larger.fat"
        tree.mkdir()
        run("mcopy", "-s", "-i", self.esp, "::/EFI", "::/liveos", tree)
        run("mkfs.fat", "-C", larger, "16384")
        run("mcopy", "-s", "-i", larger, tree / "EFI", tree / "liveos", "::/")
        larger.replace(self.esp)

    def read_esp(self, path: str) -> bytes:
        return run("mtype", "-i", self.esp, f"::{path}")

    def images(self) -> list[str]:
        """The names in the menu."""
        menu = self.read_esp("/EFI/BOOT/grub.cfg").decode()
        return re.findall(r"^source \(\$root\)/liveos/([^/]+)/menu\.cfg$", menu, re.MULTILINE)

    def sums(self, name: str) -> dict[str, str]:
        """Of every file of an image, on both."""
        files = {f"LIVE:{each.name}": each.read_bytes() for each in (self.live / name).iterdir()}
        listing = run("mdir", "-b", "-i", self.esp, f"::/liveos/{name}").decode().split()
        files |= {path: self.read_esp(path.removeprefix("::")) for path in listing}
        return {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}

    def names(self) -> tuple[set[str], set[str]]:
        """What there is at the top of LIVE, and of images on the ESP."""
        listing = run("mdir", "-b", "-i", self.esp, "::/liveos").decode().split()
        names = {line.rstrip("/").rpartition("/")[2] for line in listing}
        return {each.name for each in self.live.iterdir()} - {"lost+found"}, names


def attach(scratch: Path, words: str, point: str, filesystem: str = "ext4") -> Attached:
    """A stick with one image; ``words`` that are a mount point are one below the made-up root."""
    stick, root = make(scratch), scratch / "system"
    called = root / words.lstrip("/") if words.startswith("/") else Path(words)
    system = Attached(root, called, point, filesystem)
    disk = root / "sys/devices/block/sdb"
    for each in ("proc/self", "sys/dev/block", "sys/block", "dev"):
        (root / each).mkdir(parents=True)
    system.live.mkdir(parents=True)
    for number in (1, 2):
        (disk / f"sdb{number}").mkdir(parents=True)
        (disk / f"sdb{number}/partition").write_text(f"{number}\n")
    if filesystem != "btrfs":  # whose numbers are no devices'
        (root / "sys/dev/block/8:18").symlink_to(disk / "sdb2")
    (root / "sys/block/sdb").symlink_to(disk)
    (root / "dev/sdb").symlink_to(stick.path)
    with stick.path.open("rb") as file:
        file.seek(stick.esp.offset)
        system.esp.write_bytes(file.read(ESP_SIZE))
    stick.debugfs(f"rdump /{NAME} {system.live}")
    system.mount("rw,relatime")
    return system
