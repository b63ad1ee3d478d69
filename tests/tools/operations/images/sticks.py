# SPDX-License-Identifier: Apache-2.0
"""A small stick of our layout, ISOs to put beside its image, and what other programs see there.

The stick's first image is made by other programs (``tests.tools.operations.overlay.sticks``).
"""

import hashlib
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from liveos.host.target import look_at
from liveos.medium.home.mounting import LiveSystem
from liveos.medium.inspect import inspect
from liveos.medium.stick import open_stick
from liveos.operations.images.kept_memory import OverlayFate
from liveos.operations.images.plans import add, default, remove, rename, update
from liveos.operations.install.stick import InstallRequest
from liveos.operations.plan import Plan
from liveos.sizes import Size
from tests.tools.medium.media import make_iso
from tests.tools.operations.overlay.sticks import NAME, Stick, make_stick
from tests.tools.operations.overlay.stores import run
from tests.unit.medium.eras import ERAS
from tests.unit.operations.sources import IDENTITIES

MIB = 1 << 20
SIZE = 24 * MIB
OVERLAY = 16 * MIB
SECOND = "Second"
FILES = ("vmlinuz", "initrd.img", "squashfs.img")
SYSTEM = LiveSystem(systemd=256)
_SOURCE = re.compile(r"^source \(\$root\)/liveos/([^/]+)/menu\.cfg$", re.MULTILINE)
_LINE = re.compile(r"^\s*linux(?:efi)? (\S+) (.*)$", re.MULTILINE)
_INITRD = re.compile(r"^\s*initrd(?:efi)? (\S+)$", re.MULTILINE)


def make_source(scratch: Path, label: str = "Fedora-WS-Live-40", era: str = "fedora-40") -> Path:
    """An ISO of a distribution's shape; with another label, each of its files is another, too."""
    place = scratch / f"{era}-{label}"
    tree = ERAS[era]().write(place / "tree")
    for file in filter(Path.is_file, tree.rglob("*")):
        if file.name in FILES:
            file.write_bytes(file.read_bytes() + bytes(512 * len(label)))
    return make_iso(tree, place / "x.iso", label)


def make(scratch: Path, size: int = SIZE) -> Stick:
    return make_stick(scratch, size=size)


def make_with_syslinux(scratch: Path, size: int = SIZE) -> Stick:
    """The same with menus for SYSLINUX beside those of GRUB."""
    stick = make(scratch, size)
    found = _LINE.search(stick.menu())
    assert found is not None
    start = f"  LINUX {found[1]}\n  INITRD /liveos/{NAME}/initrd.img\n  APPEND {found[2]}\n"
    own = f"LABEL {NAME}-0\n  MENU LABEL Start\n{start}"
    whole = f"UI menu.c32\nDEFAULT {NAME}-0\nTIMEOUT 50\nINCLUDE /liveos/{NAME}/syslinux.cfg\n"
    place = f"{stick.path}@@{stick.esp.offset}"
    run("mmd", "-i", place, "::/syslinux")
    for path, text in (("/syslinux", whole), (f"/liveos/{NAME}", own)):
        run("mcopy", "-i", place, "-", f"::{path}/syslinux.cfg", stdin=text.encode())
    return stick


def request(**changes: object) -> InstallRequest:
    wanted: dict[str, object] = {"identities": IDENTITIES, "name": SECOND, **changes}
    return InstallRequest(**wanted)  # type: ignore[arg-type]


def plan_add(stick: Stick, iso: Path, **changes: object) -> Plan:
    with open_stick(stick.path) as opened:
        target = look_at(stick.path, iso)
        return add.plan(request(**changes), inspect(iso), opened, target, SYSTEM)


def plan_remove(stick: Stick, name: str | None = SECOND, *, force: bool = False) -> Plan:
    with open_stick(stick.path) as opened:
        return remove.plan(opened, name, force=force)


def plan_rename(stick: Stick, old: str, new: str) -> Plan:
    with open_stick(stick.path) as opened:
        return rename.plan(opened, old, new)


def plan_default(stick: Stick, name: str) -> Plan:
    with open_stick(stick.path) as opened:
        return default.plan(opened, name)


def plan_update(
    stick: Stick, iso: Path, fate: OverlayFate | None = None, name: str = SECOND
) -> Plan:
    wanted = update.UpdateRequest(uuid=UUID(int=9), overlay=fate)
    with open_stick(stick.path) as opened:
        target = look_at(stick.path, iso)
        return update.plan(wanted, inspect(iso), opened, name, target, SYSTEM)


def store() -> Size:
    return Size(bytes=OVERLAY)


@dataclass(frozen=True)
class Shown:
    """An image as a loader and an initramfs find it: sums of files, None for what is not there."""

    kernel: str | None
    initrd: str | None
    root: str | None
    overlay: bool | None
    """Whether the overlay that the first entry names is there; None where it names none."""


def shown(stick: Stick) -> dict[str, Shown]:
    """What the menu promises, by name, in its order."""
    menu = read_esp(stick, "/EFI/BOOT/grub.cfg")
    assert menu is not None
    return {name: _shown(stick, name) for name in _SOURCE.findall(menu.decode())}


def shown_by_syslinux(stick: Stick) -> dict[str, Shown]:
    """What BIOS shows where SYSLINUX starts it, by name, in its order; the default is there."""
    menu = (read_esp(stick, "/syslinux/syslinux.cfg") or b"").decode()
    labels, found = [], {}
    for name in re.findall(r"^INCLUDE /liveos/([^/]+)/syslinux\.cfg$", menu, re.MULTILINE):
        text = (read_esp(stick, f"/liveos/{name}/syslinux.cfg") or b"").decode()
        labels += re.findall(r"^LABEL (.*)$", text, re.MULTILINE)
        parts = re.search(r"^  LINUX (.*)\n  INITRD (.*)\n  APPEND (.*)$", text, re.MULTILINE)
        assert parts is not None, name
        found[name] = _start(stick, *parts.groups())
    assert len(set(labels)) == len(labels)
    assert re.findall(r"^DEFAULT (.*)$", menu, re.MULTILINE) == labels[:1]
    return found


def _shown(stick: Stick, name: str) -> Shown:
    text = read_esp(stick, f"/liveos/{name}/menu.cfg")
    assert text is not None, name
    line, initrd = _LINE.search(text.decode()), _INITRD.search(text.decode())
    assert line is not None
    assert initrd is not None
    return _start(stick, line[1], initrd[1], line[2])


def _start(stick: Stick, kernel: str, initrd: str, options: str) -> Shown:
    words = dict(word.partition("=")[::2] for word in options.split())
    directory = words.get("rd.live.dir", "LiveOS")
    image = words.get("rd.live.squashimg", "squashfs.img")
    overlay = words.get("rd.live.overlay")
    place = None if overlay is None else overlay.partition(":")[2]
    return Shown(
        _sum(read_esp(stick, kernel)),
        _sum(read_esp(stick, initrd)),
        _sum(read_live(stick, f"/{directory}/{image}")),
        None if place is None else _is_there(stick, place),
    )


def read_esp(stick: Stick, path: str) -> bytes | None:
    command = ["mcopy", "-i", f"{stick.path}@@{stick.esp.offset}", f"::{path}", "-"]
    done = subprocess.run(command, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None


def read_live(stick: Stick, path: str) -> bytes | None:
    command = ["debugfs", "-R", f"cat {path}", str(stick.live)]
    done = subprocess.run(command, capture_output=True, check=True)
    return None if b"not found" in done.stderr else done.stdout


def _is_there(stick: Stick, path: str) -> bool:
    return "Inode:" in stick.debugfs(f"stat {path}")


def _sum(content: bytes | None) -> str | None:
    return None if content is None else hashlib.sha256(content).hexdigest()


def digest_of(iso: Path, path: str) -> str:
    """The sum of a file of an ISO, as xorriso has it."""
    target = iso.parent / "extracted"
    run("xorriso", "-osirrox", "on", "-indev", iso, "-extract", path, target)
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    target.chmod(0o600)
    target.unlink()
    return digest


def files_of(stick: Stick, name: str) -> dict[str, str]:
    """The sums of all files of an image, and what its directory says of them."""
    target = stick.path.with_name("dumped")
    run("rm", "-rf", target)
    target.mkdir()
    stick.debugfs(f"rdump /{name} {target}")
    found = {f"LIVE:{path.name}": path.read_bytes() for path in target.rglob("*") if path.is_file()}
    where = f"{stick.path}@@{stick.esp.offset}"
    listing = run("mdir", "-b", "-i", where, f"::/liveos/{name}").decode().split()
    for line in listing:
        content = read_esp(stick, line.removeprefix("::"))
        assert content is not None
        found[f"ESP:{line}"] = content
    return {path: hashlib.sha256(content).hexdigest() for path, content in found.items()}


def names_on(stick: Stick) -> tuple[set[str], set[str]]:
    """What there is at the top of LIVE, and of images on the ESP."""
    rows = stick.debugfs("ls -p /").splitlines()
    live = {row.split("/")[5] for row in rows if row} - {".", "..", "lost+found"}
    where = f"{stick.path}@@{stick.esp.offset}"
    listing = run("mdir", "-b", "-i", where, "::/liveos").decode().split()
    return live, {line.rstrip("/").rpartition("/")[2] for line in listing}


def is_sound(stick: Stick) -> None:
    """Both filesystems, for e2fsck and fsck.fat; what no file has is no harm."""
    stick.check()
    assert stick.esp_faults() == []
