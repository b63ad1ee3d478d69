# SPDX-License-Identifier: Apache-2.0
"""Every kind of memory on a stick made by an ordinary user, looked at by other programs."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from liveos.errors import LiveosError
from liveos.host.luks import private_key
from liveos.host.target import look_at
from liveos.medium.model import PersistenceKind
from liveos.operations.execute import execute
from liveos.operations.install.keyed import with_key
from liveos.operations.install.planning import InstallRequest, plan
from liveos.operations.install.stick import HomeRequest
from liveos.operations.plan import Plan
from liveos.operations.steps.memory import Unpack
from liveos.sizes import Size
from tests.tools.operations import nested
from tests.tools.operations.test_install import Stick
from tests.tools.operations.tiny import MIB, run
from tests.unit.operations.sources import IDENTITIES

pytestmark = pytest.mark.tools

SIZE = 384 * MIB
KEY = b"correct horse"
OVERLAY = f"/LiveOS/overlay-TINY-LIVE-{IDENTITIES.live_filesystem}"
REQUEST = InstallRequest(identities=IDENTITIES, size=SIZE, overlay=Size(bytes=40 * MIB))
DIRECT = replace(REQUEST, overlay_kind=PersistenceKind.DIRECT, overlay=InstallRequest().overlay)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ISO; its root lies beside it."""
    return nested.make_iso(tmp_path_factory.mktemp("nested"))


def planned(live: Path, target: Path, request: InstallRequest) -> Plan:
    system = nested.live_system(live)
    return plan(request, nested.facts(live), look_at(target, live), system)


def made(live: Path, directory: Path, request: InstallRequest) -> Stick:
    target = directory / "stick.img"
    with keyed(planned(live, target, request)) as whole:
        execute(whole)
    stick = Stick(target, directory)
    run("e2fsck", "-f", "-n", stick.live)
    run("sfdisk", "--verify", target)
    return stick


@contextmanager
def keyed(unkeyed: Plan) -> Iterator[Plan]:
    with private_key("the key", KEY) as key:
        yield with_key(unkeyed, key)


def menu(stick: Stick) -> list[str]:
    text = run("mcopy", "-i", stick.esp, "::/liveos/LiveOS/menu.cfg", "-").decode()
    return [line for line in text.splitlines() if line.startswith("  linux ")]


def record(stick: Stick) -> dict[str, object]:
    found = json.loads(stick.debugfs("cat /LiveOS/image.json"))
    assert isinstance(found, dict)
    return found


def dumped(stick: Stick, path: str, to: Path) -> Path:
    stick.debugfs(f"dump {path} {to}")
    return to


def facts_of(path: Path) -> dict[str, str]:
    text = run("blkid", "-p", "-o", "export", path).decode()
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def require_all_blocks(inode: str, size: int) -> None:
    blocks = re.search(r"Blockcount: (\d+)", inode)
    assert blocks is not None
    assert int(blocks[1]) * 512 >= size


@pytest.fixture(scope="module")
def in_files(live: Path, tmp_path_factory: pytest.TempPathFactory) -> Stick:
    """All memory in files: an overlay image, an encrypted home, swap."""
    request = replace(
        REQUEST,
        overlay_kind=PersistenceKind.IMAGE,
        home=HomeRequest(Size(bytes=64 * MIB), encrypted=True),
        swap=Size(bytes=32 * MIB),
    )
    return made(live, tmp_path_factory.mktemp("files"), request)


def test_an_overlay_in_an_image_file(in_files: Stick, tmp_path: Path) -> None:
    """boot-contract.md 1.3, step 6."""
    image = dumped(in_files, OVERLAY, tmp_path / "overlay.img")
    assert image.stat().st_size == 40 * MIB
    run("e2fsck", "-f", "-n", image)
    assert facts_of(image)["TYPE"] == "ext4"
    assert facts_of(image)["UUID"] == str(IDENTITIES.overlay_filesystem)
    for directory in ("/overlayfs", "/ovlwork"):
        inode = run("debugfs", "-R", f"stat {directory}", image).decode()
        assert "Type: directory" in inode
        assert re.search(r"Mode: +0755 ", inode)
        assert re.search(r"User: +0 +Group: +0 ", inode)
    inode = in_files.debugfs(f"stat {OVERLAY}").decode()
    require_all_blocks(inode, 40 * MIB)
    assert re.search(r"Mode: +0600 ", inode)
    assert f"UUID={IDENTITIES.live_filesystem}:{OVERLAY}" in menu(in_files)[0]
    assert "rd.live.overlay.overlayfs=1" in menu(in_files)[0]  # dracut 056


def test_swap_that_the_kernel_would_take(in_files: Stick, tmp_path: Path) -> None:
    """swapon(8): no holes, and nobody but root may read it."""
    swap = dumped(in_files, "/LiveOS/swap.img", tmp_path / "swap.img")
    found = facts_of(swap)
    assert (found["TYPE"], found["LABEL"]) == ("swap", "SWAP")
    assert found["UUID"] == str(IDENTITIES.swap)
    assert str(IDENTITIES.swap) in run("swaplabel", swap).decode()
    assert swap.stat().st_size == 32 * MIB
    inode = in_files.debugfs("stat /LiveOS/swap.img").decode()
    require_all_blocks(inode, 32 * MIB)
    assert "[u]" not in inode
    assert re.search(r"Mode: +0600 .*User: +0 +Group: +0 ", inode, re.DOTALL)


def test_units_of_ours_use_both(in_files: Stick) -> None:
    """The root has systemd 252 and no livesys (images.md 3.4); one entry keeps nothing."""
    start, forgets, *others = (line.split() for line in menu(in_files))
    for words in (start, *others):
        assert {"liveos.home=/LiveOS/home.img", "liveos.swap=/LiveOS/swap.img"} <= set(words)
    assert "liveos.swap=/LiveOS/swap.img" in forgets
    assert [word for word in forgets if "home" in word] == ["nopersistenthome"]
    unit = "/updates/run/systemd/system/liveos-swap.service"
    assert in_files.debugfs(f"cat {unit}").startswith(b"# SPDX")
    inode = in_files.debugfs(f"stat {unit}").decode()
    assert re.search(r"Mode: +0644 .*User: +0 +Group: +0 ", inode, re.DOTALL)


def test_an_encrypted_home_in_a_file(in_files: Stick, tmp_path: Path) -> None:
    require_home_file(in_files, tmp_path / "home.img", encrypted=True)


def test_a_root_that_is_written_through(live: Path, tmp_path: Path) -> None:
    """boot-contract.md 2 (c): the file lies by itself, and no squashfs beside it."""
    home = HomeRequest(Size(bytes=64 * MIB), encrypted=False)
    stick = made(live, tmp_path, replace(DIRECT, home=home))
    root = dumped(stick, "/LiveOS/rootfs.img", tmp_path / "rootfs.img")
    assert root.read_bytes() == (live.parent / "rootfs.img").read_bytes()
    run("e2fsck", "-f", "-n", root)
    inode = stick.debugfs("stat /LiveOS/rootfs.img").decode()
    require_all_blocks(inode, nested.ROOT_SIZE)
    assert "[u]" in inode  # zeros were not written
    names = stick.debugfs("ls -p /LiveOS").decode()
    assert "squashfs.img" not in names
    assert "overlay-" not in names
    kept, forgetful, _ = menu(stick)
    assert "rd.live.overlay=none" in kept.split()
    assert "overlay" not in forgetful
    assert record(stick)["overlay"] == {
        "kind": "direct", "path": "/LiveOS/rootfs.img", "size": nested.ROOT_SIZE,
        "readonly": False,
    }  # fmt: skip
    require_home_file(stick, tmp_path / "home.img", encrypted=False)


def test_a_snapshot_over_an_unpacked_root_used_read_only(live: Path, tmp_path: Path) -> None:
    """dm-snap-persistent.c: of a device that is read-only, the header must be there."""
    request = replace(REQUEST, uncompressed=True, readonly=True, temporary=256 * MIB)
    stick = made(live, tmp_path, request)
    root = dumped(stick, "/LiveOS/rootfs.img", tmp_path / "rootfs.img")
    assert root.read_bytes() == (live.parent / "rootfs.img").read_bytes()
    store = stick.debugfs(f"cat {OVERLAY}")
    assert store[:16] == b"SnAp\1\0\0\0\1\0\0\0\x08\0\0\0"
    assert not any(store[16:])
    read_only, kept, forgetful, *_ = menu(stick)
    assert f"UUID={IDENTITIES.live_filesystem}:{OVERLAY}" in read_only
    words = {"rd.live.overlay.readonly", "rd.overlay.readonly", "rd.live.overlay.size=256"}
    assert words <= set(read_only.split())
    assert not words & set(kept.split())
    assert words & set(forgetful.split()) == {"rd.live.overlay.size=256"}


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_home_in_a_partition(live: Path, tmp_path: Path, *, encrypted: bool) -> None:
    """On a device that is not empty: nothing of the old bytes may show."""
    target = tmp_path / "stick.img"
    target.write_bytes(b"\xa5" * SIZE)
    home = HomeRequest(Size(bytes=66 * MIB), encrypted=encrypted, partition=True)
    kind = PersistenceKind.DIRECTORY
    stick = made(
        live, tmp_path, replace(REQUEST, home=home, size=None, erase=True, overlay_kind=kind)
    )
    part = stick.windows["HOME"]
    assert part["type"].lower() == "933ac7e1-2eb4-4f13-b844-0e14e2aef915"
    assert part["uuid"].lower() == str(IDENTITIES.home)
    assert part["start"] * 512 % (4 * MIB) == 0
    assert part["size"] * 512 == 68 * MIB  # whole units of the alignment
    assert b"No problems found" in run("sgdisk", "-v", target)
    file = stick.cut("HOME", tmp_path / "home.img")
    require_home(file, 68 * MIB, encrypted=encrypted)
    uuid = IDENTITIES.home_luks if encrypted else IDENTITIES.home_filesystem
    named = [f" liveos.home=UUID={uuid}" in line for line in menu(stick)]
    assert named == [True, False, *[True] * (len(named) - 2)]
    # The image has no SELinux, so that nothing needs a label.
    assert "security.selinux" not in stick.debugfs(f"stat {OVERLAY}").decode()


def require_home_file(stick: Stick, file: Path, *, encrypted: bool) -> None:
    dumped(stick, "/LiveOS/home.img", file)
    inode = stick.debugfs("stat /LiveOS/home.img").decode()
    require_all_blocks(inode, 64 * MIB)
    assert re.search(r"Mode: +0600 ", inode)
    require_home(file, 64 * MIB, encrypted=encrypted)
    said = record(stick)["home"]
    assert isinstance(said, dict)
    assert (said["size"], said["encrypted"]) == (64 * MIB, encrypted)
    assert KEY.decode() not in json.dumps(record(stick))


def require_home(file: Path, size: int, *, encrypted: bool) -> None:
    assert file.stat().st_size == size
    found = facts_of(file)
    if encrypted:
        assert (found["TYPE"], found["VERSION"]) == ("crypto_LUKS", "2")
        assert found["UUID"] == str(IDENTITIES.home_luks)
        assert b"argon2id" in run("cryptsetup", "luksDump", file)
        opens = ("open", "--test-passphrase", "--disable-locks", "--key-file", "-")
        run("cryptsetup", *opens, file, stdin=KEY)
        return
    assert (found["TYPE"], found["LABEL"]) == ("ext4", "home")
    assert found["UUID"] == str(IDENTITIES.home_filesystem)
    run("e2fsck", "-f", "-n", file)
    # The user that the image has, and nobody else would make a directory for.
    inode = run("debugfs", "-R", "stat /ann", file).decode()
    assert re.search(r"Mode: +0700 .*User: +1000 +Group: +1001 ", inode, re.DOTALL)
    assert run("debugfs", "-R", "cat /ann/.profile", file) == b"# hello\n"


def test_everything_at_once(live: Path, tmp_path: Path) -> None:
    """All by shares, and each has its place."""
    home = HomeRequest(Size(), encrypted=False)
    request = replace(REQUEST, uncompressed=True, home=home, swap=Size(percent=Decimal(10)))
    stick = made(live, tmp_path, request)
    for name in ("home.img", "swap.img"):
        assert facts_of(dumped(stick, f"/LiveOS/{name}", tmp_path / name))["UUID"]


def test_without_its_key_nothing_is_left(live: Path, tmp_path: Path) -> None:
    home = HomeRequest(Size(bytes=64 * MIB), encrypted=True)
    target = tmp_path / "stick.img"
    with pytest.raises(LiveosError, match="needs a key"):
        execute(planned(live, target, replace(REQUEST, home=home)))
    assert list(tmp_path.iterdir()) == []


def test_a_squashfs_that_is_damaged_leaves_nothing(live: Path, tmp_path: Path) -> None:
    target, broken = tmp_path / "stick.img", tmp_path / "broken.iso"
    data = bytearray(live.read_bytes())
    extents = nested.facts(live).images[0].root.file
    assert extents is not None
    assert extents.extents is not None
    start = extents.extents[0].offset or 0
    data[start + 2000 : start + 60000] = bytes(58000)
    broken.write_bytes(data)
    request = replace(DIRECT, verify=False)
    made_for = plan(request, nested.facts(live), look_at(target, live))
    steps = tuple(
        replace(step, file=replace(step.file, container=broken))
        if isinstance(step, Unpack)
        else step
        for step in made_for.steps
    )
    with pytest.raises(LiveosError, match="damaged"):
        execute(replace(made_for, steps=steps))
    assert [path.name for path in tmp_path.iterdir()] == ["broken.iso"]
