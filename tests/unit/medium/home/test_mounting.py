# SPDX-License-Identifier: Apache-2.0
"""Which way a home is mounted, for roots of all eras (images.md 3.1 and 3.4)."""

from pathlib import Path

import pytest

from liveos.medium.directory_tree import DirectoryTree
from liveos.medium.home.mounting import (
    HomeWay,
    LiveSystem,
    choose_mounting,
    mount_word,
    mounting_of_swap,
    read_live_system,
)
from liveos.medium.home.words import (
    is_home_word,
    is_swap_word,
    leaves_home_closed,
    without_home,
)
from liveos.medium.model import Container, Entry, Family, Firmware, Image, Root

ROOT = Root(None, Container.NONE, None, None, "ext4", None, None, None, None, 1)


def image(*options: str, family: Family = Family.DMSQUASH) -> Image:
    words = ("root=live:LABEL=LIVE", *options)
    entry = Entry("Start", Firmware.UEFI, "/grub.cfg", None, "/vmlinuz", (), words)
    return Image("LiveOS", family, ROOT, entries=(entry,) if options else ())


def tree(directory: Path, *files: str) -> DirectoryTree:
    for name in files:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return DirectoryTree(directory)


LIVE = image("rd.live.image", "rw")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        # Fedora 41: livesys-scripts, everything in /usr.
        (
            (
                "usr/libexec/livesys/livesys-main",
                "usr/lib/systemd/libsystemd-shared-256.7-1.fc41.so",
                "usr/bin/cryptsetup",
                "usr/bin/plymouth",
                "etc/selinux/targeted/contexts/files/file_contexts",
            ),
            LiveSystem(
                "/usr/libexec/livesys/livesys-main", 256, cryptsetup=True, plymouth=True,
                targeted=True,
            ),
        ),
        # Fedora 17: a script for init beside systemd 44, whose library has no version yet.
        (
            ("etc/rc.d/init.d/livesys", "usr/lib/systemd/systemd", "sbin/cryptsetup"),
            LiveSystem("/etc/rc.d/init.d/livesys", None, cryptsetup=True),
        ),
        # Debian 12 and 13, as their packages libsystemd-shared have it.
        (("usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-252.so",), LiveSystem(systemd=252)),
        (("usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-257.so",), LiveSystem(systemd=257)),
        # A runit system.
        (("usr/bin/runit", "usr/bin/cryptsetup"), LiveSystem(cryptsetup=True)),
    ],
)  # fmt: skip
def test_what_a_root_tells(files: tuple[str, ...], expected: LiveSystem, tmp_path: Path) -> None:
    assert read_live_system(tree(tmp_path, *files)) == expected


def test_links_lead_to_where_usr_was_merged(tmp_path: Path) -> None:
    tree(tmp_path, "usr/lib/systemd/libsystemd-shared-254.so", "usr/sbin/cryptsetup")
    (tmp_path / "lib").symlink_to("usr/lib")
    (tmp_path / "sbin").symlink_to("usr/sbin")
    found = read_live_system(DirectoryTree(tmp_path))
    assert found == LiveSystem(systemd=254, cryptsetup=True)


FEDORA = LiveSystem("/usr/libexec/livesys/livesys-main", 256, cryptsetup=True, plymouth=True)


@pytest.mark.parametrize("encrypted", [False, True])
def test_livesys_mounts_it(*, encrypted: bool) -> None:
    found = choose_mounting(FEDORA, LIVE, "LiveOS", encrypted=encrypted)
    assert found.way is HomeWay.LIVESYS
    assert FEDORA.livesys is not None
    assert FEDORA.livesys in found.reason
    assert not found.words
    assert not found.updates


def test_livesys_without_plymouth_would_ask_nobody() -> None:
    system = LiveSystem("/etc/rc.d/init.d/livesys", 252, cryptsetup=True)
    found = choose_mounting(system, LIVE, "LiveOS", encrypted=True)
    assert found.way is HomeWay.UPDATES
    assert "plymouth" in found.reason
    assert found.words == ("liveos.home=/LiveOS/home.img", "nopersistenthome")
    plain = choose_mounting(system, LIVE, "LiveOS", encrypted=False)
    assert plain.way is HomeWay.LIVESYS
    assert not plain.updates


def test_livesys_finds_a_partition_by_its_word() -> None:
    for encrypted in (False, True):
        found = choose_mounting(FEDORA, LIVE, "LiveOS", encrypted=encrypted, partition="ab-cd")
        assert found.way is HomeWay.LIVESYS
        assert found.words == found.missing == ("persistenthome=UUID=ab-cd",)


def test_livesys_does_nothing_without_its_word() -> None:
    """Fedora 42 and later may lack it."""
    found = choose_mounting(FEDORA, image("rw"), "LiveOS", encrypted=False)
    assert found.way is HomeWay.MOUNT_EXTRA
    assert "rd.live.image" in found.reason


def test_a_tree_without_a_menu_is_taken_at_its_word() -> None:
    found = choose_mounting(FEDORA, image(), "LiveOS", encrypted=False)
    assert found.way is HomeWay.LIVESYS


def test_the_kernel_line_since_systemd_254() -> None:
    for version, way in ((254, HomeWay.MOUNT_EXTRA), (253, HomeWay.UPDATES)):
        found = choose_mounting(LiveSystem(systemd=version), LIVE, "x1", encrypted=False)
        assert found.way is way
    options = "nofail,x-systemd.before=systemd-user-sessions.service"
    word = f"systemd.mount-extra=/run/initramfs/live/x1/home.img:/home:ext4:loop,{options}"
    assert mount_word("/x1/home.img") == word
    modern = LiveSystem(systemd=257)
    assert choose_mounting(modern, LIVE, "x1", encrypted=False).missing == (word,)
    complete = choose_mounting(modern, image("rd.live.image", word), "x1", encrypted=False)
    assert complete.way is HomeWay.MOUNT_EXTRA
    assert complete.words == (word,)
    assert not complete.missing
    on_partition = choose_mounting(modern, LIVE, "x1", encrypted=False, partition="ab")
    assert on_partition.words == (f"systemd.mount-extra=UUID=ab:/home:ext4:{options}",)


@pytest.mark.parametrize(("version", "encrypted"), [(44, False), (252, True), (257, True)])
@pytest.mark.parametrize(("partition", "place"), [(None, "/x1/home.img"), ("12-ab", "UUID=12-ab")])
def test_our_unit_does_the_rest(
    version: int, partition: str | None, place: str, *, encrypted: bool
) -> None:
    system = LiveSystem(systemd=version, cryptsetup=True)
    found = choose_mounting(system, LIVE, "x1", encrypted=encrypted, partition=partition)
    assert found.way is HomeWay.UPDATES
    assert found.words == (f"liveos.home={place}",)
    assert "run/systemd/system/liveos-home.service" in {file.path for file in found.updates}


@pytest.mark.parametrize(
    ("system", "way", "words"),
    [
        (FEDORA, HomeWay.LIVESYS, ()),
        (
            LiveSystem(systemd=254),
            HomeWay.SWAP_EXTRA,
            ("systemd.swap-extra=/run/initramfs/live/x1/swap.img:nofail",),
        ),
        (LiveSystem(systemd=253), HomeWay.UPDATES, ("liveos.swap=/x1/swap.img",)),
        (LiveSystem(), HomeWay.NONE, ()),
        (None, HomeWay.NONE, ()),
    ],
)
def test_swap(system: LiveSystem | None, way: HomeWay, words: tuple[str, ...]) -> None:
    found = mounting_of_swap(system, LIVE, "x1")
    assert found.way is way
    assert found.words == words
    assert bool(found.updates) is (way is HomeWay.UPDATES)
    assert all(map(is_swap_word, words))
    assert found.drop("liveos.swap=/other/swap.img") or way is HomeWay.NONE
    assert found.works is (way is not HomeWay.NONE)


def test_words_that_an_older_home_has_left() -> None:
    homes = (
        "liveos.home=UUID=1",
        "nopersistenthome",
        "persistenthome=/x",
        mount_word("/a/home.img"),
        mount_word("UUID=1"),
    )
    assert all(map(is_home_word, homes))
    for word in homes:
        assert without_home(("quiet", word)) == ("quiet", "nopersistenthome")
        assert leaves_home_closed((word, "quiet")) is (word == "nopersistenthome")
        assert not leaves_home_closed((word, "liveos.home=UUID=1"))
    others = ("systemd.mount-extra=/dev/sdb1:/srv:ext4", "liveos.swap=/x", "home", "quiet")
    assert not any(map(is_home_word, others))
    assert not any(map(is_swap_word, [*homes, "systemd.swap-extra=/dev/sda3", "quiet"]))


@pytest.mark.parametrize(
    ("system", "what", "encrypted", "reason"),
    [
        (None, LIVE, False, "cannot be read"),
        (LiveSystem("/etc/rc.d/init.d/livesys"), LIVE, True, "no cryptsetup"),
        (LiveSystem(systemd=257), LIVE, True, "no cryptsetup"),
        (LiveSystem(), LIVE, False, "no systemd"),
        (LiveSystem(systemd=257), image("x", family=Family.LIVE_BOOT), False, "dmsquash-live"),
        (LiveSystem(systemd=252), image("x", family=Family.LIVE_BOOT), False, "dmsquash-live"),
        (LiveSystem(systemd=257), image("x", family=Family.KIWI), False, "dmsquash-live"),
    ],
)
def test_no_way(system: LiveSystem | None, what: Image, reason: str, *, encrypted: bool) -> None:
    found = choose_mounting(system, what, "LiveOS", encrypted=encrypted)
    assert found.way is HomeWay.NONE
    assert reason in found.reason
