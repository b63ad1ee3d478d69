# SPDX-License-Identifier: Apache-2.0
"""A stick made of another stick's image, with its overlay and its home, by an ordinary user.

What the source holds was put there by debugfs and cryptsetup, and is looked at by them again.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from liveos.errors import LiveosError, ProblemsFoundError, RefusedError, UsageError
from liveos.host.target import look_at
from liveos.medium.model import PersistenceKind
from liveos.medium.sources import find_source
from liveos.operations.carry import perform
from liveos.operations.carry.facts import carried_from
from liveos.operations.execute import execute
from liveos.operations.install.layout import Identities
from liveos.operations.install.planning import InstallRequest, plan
from liveos.operations.install.stick import HomeRequest
from liveos.operations.overlay.perform import convert_upper
from liveos.operations.plan import Plan
from liveos.sizes import Size
from tests.data.snapshot_cases import recordings
from tests.tools.operations import nested
from tests.tools.operations.test_install import Stick
from tests.tools.operations.test_install_memory import keyed, planned
from tests.tools.operations.tiny import MIB, run
from tests.unit.medium.eras import initramfs, kernel
from tests.unit.operations.sources import IDENTITIES

pytestmark = pytest.mark.tools

SIZE = 320 * MIB
NAME = f"overlay-TINY-LIVE-{IDENTITIES.live_filesystem}"
OVERLAY = f"/LiveOS/{NAME}"
REQUEST = InstallRequest(identities=IDENTITIES, size=SIZE, overlay=Size(bytes=20 * MIB))
NEW = Identities.random()
NEW_OVERLAY = f"/LiveOS/overlay-TINY-LIVE-{NEW.live_filesystem}"
COPY = InstallRequest(identities=NEW, size=SIZE)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ISO whose kernel and initramfs say what they are."""
    boot = {
        "/images/pxeboot/vmlinuz": kernel("6.1.0-44-amd64"),
        "/images/pxeboot/initrd.img": initramfs(
            "059", "base dmsquash-live overlayfs systemd", "6.1.0-44-amd64"
        ),
    }
    return nested.make_iso(tmp_path_factory.mktemp("iso"), boot)


def made(live: Path, directory: Path, request: InstallRequest) -> Stick:
    target = directory / "stick.img"
    with keyed(planned(live, target, request)) as whole:
        execute(whole)
    return Stick(target, directory)


def put_back(stick: Stick) -> None:
    """The LIVE partition as it has become."""
    start = stick.windows["LIVE"]["start"]
    words = (f"of={stick.path}", f"seek={start}", "bs=512", "conv=notrunc", "status=none")
    run("dd", f"if={stick.live}", *words)


def edit(stick: Stick, *lines: str) -> None:
    script = "".join(f"{line}\n" for line in lines)
    run("debugfs", "-w", "-f", "-", stick.live, stdin=script.encode())
    run("e2fsck", "-f", "-n", stick.live)
    put_back(stick)


def copied(
    stick: Path, directory: Path, request: InstallRequest = COPY, **what: bool
) -> tuple[Stick, Plan]:
    """A stick made of the image of another."""
    chosen = {"overlay": True, "home": False, **what}
    source = find_source(f"{stick}:LiveOS")
    carried = carried_from(source, **chosen)
    system = nested.live_system(stick)
    target = directory / "copy.img"
    whole = plan(request, source.medium, look_at(target, stick), system, carried)
    execute(whole)
    new = Stick(target, directory)
    run("e2fsck", "-f", "-n", new.live)
    return new, whole


def dumped(stick: Stick, path: str, to: Path) -> bytes:
    stick.debugfs(f"dump {path} {to}")
    return to.read_bytes()


def menu(stick: Stick) -> str:
    return run("mcopy", "-i", stick.esp, "::/liveos/LiveOS/menu.cfg", "-").decode()


def record(stick: Stick) -> dict[str, object]:
    found = json.loads(stick.debugfs("cat /LiveOS/image.json"))
    assert isinstance(found, dict)
    return found


def recorded_store(size: int) -> bytes:
    """A store that a kernel has written."""
    store = recordings()["bookworm", "records-257"].store
    return store.ljust(size, b"\0")


def test_a_snapshot_store_and_an_encrypted_home(live: Path, tmp_path: Path) -> None:
    """The store belongs to its root byte for byte, and the home to its passphrase."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    home = HomeRequest(Size(bytes=48 * MIB), encrypted=True)
    old = made(live, tmp_path / "a", replace(REQUEST, home=home))
    store = tmp_path / "store"
    store.write_bytes(recorded_store(20 * MIB))
    edit(old, f"rm {OVERLAY}", f"write {store} {OVERLAY}")

    new, whole = copied(old.path, tmp_path / "b", home=True)
    assert dumped(new, NEW_OVERLAY, tmp_path / "new-store") == store.read_bytes()
    root = dumped(new, "/LiveOS/squashfs.img", tmp_path / "new-root")
    assert root == dumped(old, "/LiveOS/squashfs.img", tmp_path / "old-root")
    old_home = dumped(old, "/LiveOS/home.img", tmp_path / "old-home")
    assert dumped(new, "/LiveOS/home.img", tmp_path / "new-home") == old_home
    uuid = run("cryptsetup", "luksUUID", tmp_path / "new-home").decode().strip()
    for path in (NEW_OVERLAY, "/LiveOS/home.img"):
        assert "Mode:  0600" in new.debugfs(f"stat {path}").decode()
    assert str(IDENTITIES.live_filesystem) not in menu(new)
    assert f"UUID={NEW.live_filesystem}:{NEW_OVERLAY}" in menu(new)
    assert menu(new).count("liveos.home=/LiveOS/home.img") == menu(old).count(
        "liveos.home=/LiveOS/home.img"
    )
    noted = record(new)
    assert noted["overlay"] == {
        "kind": "snapshot", "path": NEW_OVERLAY, "size": 20 * MIB, "readonly": False
    }  # fmt: skip
    assert noted["home"] == {
        "path": "/LiveOS/home.img", "size": 48 * MIB, "uuid": uuid, "encrypted": True
    }  # fmt: skip
    assert any("record of sums" in note for note in whole.notes)


def test_an_overlay_that_is_a_directory(
    live: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Owners, modes, attributes, OverlayFS's marks and links; in several transactions."""
    monkeypatch.setattr(convert_upper, "_PART", 18)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    old = made(live, tmp_path / "a", replace(REQUEST, overlay_kind=PersistenceKind.DIRECTORY))
    content = tmp_path / "content"
    content.write_bytes(b"changed" * 30_000)
    edit(
        old,
        f"cd {OVERLAY}",
        "mkdir etc",
        "ea_set etc trusted.overlay.opaque y",
        f"write {content} etc/changed",
        "set_inode_field etc/changed mode 0104751",
        "set_inode_field etc/changed uid 1000",
        "ea_set etc/changed user.note kept",
        "symlink etc/link ../elsewhere",
        "ln etc/changed etc/second",
        "set_inode_field etc/changed links_count 2",
        "cd etc",
        "mknod gone c 0 0",
    )
    new, _ = copied(old.path, tmp_path / "b")
    top = NEW_OVERLAY
    assert dumped(new, f"{top}/etc/changed", tmp_path / "new") == content.read_bytes()
    changed = new.debugfs(f"stat {top}/etc/changed").decode()
    assert "Mode:  04751" in changed
    assert "User:  1000" in changed
    assert "Links: 2" in changed
    second = new.debugfs(f"stat {top}/etc/second").decode()
    assert second.splitlines()[0] == changed.splitlines()[0]  # its inode
    assert b"kept" in new.debugfs(f"ea_get {top}/etc/changed user.note")
    assert b"y" in new.debugfs(f"ea_get {top}/etc trusted.overlay.opaque")
    gone = new.debugfs(f"stat {top}/etc/gone").decode()
    assert "Type: character special" in gone
    assert "Device major/minor number: 00:00" in gone
    assert "../elsewhere" in new.debugfs(f"stat {top}/etc/link").decode()
    assert "Type: directory" in new.debugfs("stat /LiveOS/ovlwork").decode()
    assert NAME.encode() not in new.debugfs("ls -p /LiveOS")


def booted_from(stick: Stick, system: Path) -> None:
    """A / as it would be after a boot from the stick: what is mounted, and what is in /dev."""
    live, disk = system / "run/initramfs/live", system / "sys/devices/block/sdb"
    for directory in (live, system / "proc/self", system / "sys/dev/block", system / "dev"):
        directory.mkdir(parents=True)
    run("debugfs", "-R", f"rdump / {live}", stick.live)
    (system / "dev/sdb").symlink_to(stick.path)
    (disk / "sdb3").mkdir(parents=True)
    (disk / "sdb3/partition").write_text("3\n")
    (system / "sys/dev/block/8:19").symlink_to(disk / "sdb3")
    (system / "proc/cmdline").write_text("root=live:UUID=1 rd.live.image\n")
    (system / "proc/self/mountinfo").write_text(
        "25 1 254:0 / / rw - ext4 /dev/mapper/live-rw rw\n"
        "30 25 8:19 / /run/initramfs/live rw - ext4 /dev/sdb3 rw\n"
    )


def test_the_running_system(live: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The root comes through the mounted directory, kernel and loaders from the ESP beside it."""
    (tmp_path / "a").mkdir()
    old = made(live, tmp_path / "a", REQUEST)
    store = tmp_path / "store"
    store.write_bytes(recorded_store(20 * MIB))
    edit(old, f"rm {OVERLAY}", f"write {store} {OVERLAY}")
    system = tmp_path / "system"
    booted_from(old, system)

    source = find_source("live", system)
    carried = carried_from(source, overlay=True, home=False)
    assert carried.overlay is not None
    assert carried.overlay.still == system
    still: list[Path] = []

    @contextmanager
    def kept_still(mount: Path, _seconds: float) -> Iterator[None]:
        """What writes has the last word just before."""
        with (system / f"run/initramfs/live/{OVERLAY}").open("r+b") as file:
            file.seek(-MIB, os.SEEK_END)
            file.write(b"late")
        still.append(mount)
        yield

    monkeypatch.setattr(perform, "frozen", kept_still)
    monkeypatch.setattr(perform, "_require_sound", lambda *_: None)
    target = tmp_path / "copy.img"
    execute(plan(COPY, source.medium, look_at(target, old.path), None, carried))
    new = Stick(target, tmp_path)
    run("e2fsck", "-f", "-n", new.live)
    late = bytearray(store.read_bytes())
    late[-MIB : -MIB + 4] = b"late"
    assert dumped(new, NEW_OVERLAY, tmp_path / "new-store") == bytes(late)
    root = dumped(new, "/LiveOS/squashfs.img", tmp_path / "new-root")
    assert root == dumped(old, "/LiveOS/squashfs.img", tmp_path / "old-root")
    for file in ("/EFI/BOOT/BOOTX64.EFI", "/liveos/LiveOS/vmlinuz", "/liveos/LiveOS/initrd.img"):
        read = [run("mcopy", "-i", stick.esp, f"::{file}", "-") for stick in (old, new)]
        assert read[0] == read[1]
    assert still == [system]


def test_a_source_that_is_not_what_it_was(live: Path, tmp_path: Path) -> None:
    """A stick has no implanted sum; what was noted of its files shows the damage."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    old = made(live, tmp_path / "a", REQUEST)
    last = len(dumped(old, "/LiveOS/squashfs.img", tmp_path / "root")) - 1
    block = int(old.debugfs(f"bmap /LiveOS/squashfs.img {last // 4096}").decode())
    with old.live.open("r+b") as file:  # behind everything that a reader looks at
        file.seek(block * 4096 + last % 4096)
        file.write(b"!")
    put_back(old)
    with pytest.raises(ProblemsFoundError, match=r"squashfs\.img .* is damaged"):
        copied(old.path, tmp_path / "b")
    assert list((tmp_path / "b").iterdir()) == []


def test_what_is_not_there_or_not_sound(live: Path, tmp_path: Path) -> None:
    old = made(live, tmp_path, REQUEST)
    source = find_source(f"{old.path}:LiveOS")
    with pytest.raises(UsageError, match="has no home"):
        carried_from(source, overlay=False, home=True)
    edit(old, f"rm {OVERLAY}", f"write {old.esp} {OVERLAY}")
    store = tmp_path / "invalid"
    # A header with its magic, not valid (reference: snapshot-store.md).
    store.write_bytes(b"SnAp" + bytes(4) + b"\1\0\0\0" + b"\x08\0\0\0" + bytes(20 * MIB))
    edit(old, f"rm {OVERLAY}", f"write {store} {OVERLAY}")
    with pytest.raises(RefusedError, match="invalid"):
        carried_from(find_source(str(old.path)), overlay=True, home=False)
    with pytest.raises(LiveosError, match="no image other"):
        find_source(f"{old.path}:other")
