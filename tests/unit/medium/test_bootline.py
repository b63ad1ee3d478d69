# SPDX-License-Identifier: Apache-2.0
"""Kernel lines against boot-contract.md: each rule by its number, each version that matters."""

from dataclasses import replace

import pytest

from liveos.errors import UnsupportedError
from liveos.medium.bootline import boot_options, entry_options
from liveos.medium.installed import Installed, label_problem
from liveos.medium.model import Entry, Family, Firmware, PersistenceKind

UUID = "1b4e28ba-2fa1-11d2-883f-0016d3cca427"
PLACE = f"UUID={UUID}:/LiveOS/overlay-LIVE-{UUID}"
NESTED = Installed(uuid=UUID, label="LIVE", flat=False, dracut_version="059-4")
FLAT = replace(NESTED, flat=True)
SNAPSHOT = PersistenceKind.SNAPSHOT
DIRECTORY = PersistenceKind.DIRECTORY
IMAGE = PersistenceKind.IMAGE
DIRECT = PersistenceKind.DIRECT
BARE = replace(NESTED, image="rootfs.img")
FEDORA_20 = [
    "root=live:CDLABEL=Fedora-Live",
    "rootfstype=auto",
    "ro",
    "rd.live.image",
    "quiet",
    "rhgb",
    "rd.luks=0",
]

# What boot-contract.md 1.2 (columns "since" and "changed") and 1.6 say per release:
# release, spelling of the overlay, may OverlayFS be asked for, word for it, prompt word.
# Beyond: `rd.live.overlay=none` since 044; real stacking of a read-only snapshot since 026, but not
# in 044; the size of the temporary one since 041.
VERSIONS = [
    ("007", "overlay", False, False, False),
    ("024", "rd.live.overlay", False, False, False),
    ("044", "rd.live.overlay", False, False, False),
    ("045", "rd.live.overlay", True, True, False),
    ("056", "rd.live.overlay", True, True, False),
    ("059-4", "rd.live.overlay", True, True, False),
    ("060", "rd.live.overlay", True, True, False),
    ("100", "rd.live.overlay", True, True, False),
    ("106", "rd.live.overlay", True, True, True),
    ("109", "rd.live.overlay", True, True, True),
    ("110+suse.5.g1", "rd.live.overlay", True, False, True),
    ("112", "rd.live.overlay", True, False, True),
]


@pytest.mark.parametrize(("version", "spelling", "overlayfs", "word", "prompt"), VERSIONS)
class TestVersions:
    def test_snapshot(
        self, version: str, spelling: str, overlayfs: bool, word: bool, prompt: bool
    ) -> None:
        stick = replace(NESTED, dracut_version=version, overlay=SNAPSHOT)
        options = boot_options(FEDORA_20, stick)
        assert f"{spelling}={PLACE}" in options
        assert [
            o for o in options if o.startswith(("rd.overlay", "overlay", "rd.live.overlay="))
        ] == [f"{spelling}={PLACE}"]  # rule 4: never rd.overlay=
        assert not any("overlayfs" in option for option in options)  # rule 5
        assert ("rd.live.overlay.nouserconfirmprompt" in options) is prompt

    @pytest.mark.parametrize("kind", [DIRECTORY, IMAGE])
    def test_overlayfs(
        self,
        version: str,
        spelling: str,
        overlayfs: bool,
        word: bool,
        prompt: bool,
        kind: PersistenceKind,
    ) -> None:
        stick = replace(NESTED, dracut_version=version, overlay=kind)
        if not overlayfs:
            with pytest.raises(UnsupportedError, match="no OverlayFS"):
                boot_options(FEDORA_20, stick)
            return
        options = boot_options(FEDORA_20, stick)
        assert f"rd.live.overlay={PLACE}" in options
        assert ("rd.live.overlay.overlayfs=1" in options) is word
        assert ("rd.live.overlay.nouserconfirmprompt" in options) is prompt

    def test_written_through(
        self, version: str, spelling: str, overlayfs: bool, word: bool, prompt: bool
    ) -> None:
        """1.6; rule 4: ``rd.overlay=none`` would be a tmpfs from 110."""
        stick = replace(BARE, dracut_version=version, overlay=DIRECT)
        if version < "044":
            with pytest.raises(UnsupportedError, match="write through"):
                boot_options(FEDORA_20, stick)
            return
        options = boot_options(FEDORA_20, stick)
        assert [o for o in options if "overlay" in o] == ["rd.live.overlay=none"]

    @pytest.mark.parametrize("kind", [SNAPSHOT, DIRECTORY, IMAGE])
    def test_read_only(
        self,
        version: str,
        spelling: str,
        overlayfs: bool,
        word: bool,
        prompt: bool,
        kind: PersistenceKind,
    ) -> None:
        stick = replace(NESTED, dracut_version=version, overlay=kind, readonly=True)
        if version in {"007", "024", "044"} or (kind is not SNAPSHOT and not overlayfs):
            with pytest.raises(UnsupportedError, match=r"read-only|no OverlayFS"):
                boot_options(FEDORA_20, stick)
            return
        options = boot_options(FEDORA_20, stick)
        assert {"rd.live.overlay.readonly", "rd.overlay.readonly"} <= set(options)
        assert f"rd.live.overlay={PLACE}" in options
        assert ("rd.live.overlay.overlayfs=1" in options) is (word and kind is not SNAPSHOT)

    def test_size_of_the_temporary(
        self, version: str, spelling: str, overlayfs: bool, word: bool, prompt: bool
    ) -> None:
        stick = replace(NESTED, dracut_version=version, temporary=512)
        if version < "041":
            with pytest.raises(UnsupportedError, match="temporary"):
                boot_options(FEDORA_20, stick)
            return
        assert "rd.live.overlay.size=512" in boot_options(["rd.live.overlay.size=9"], stick)
        assert "rd.live.overlay.size=9" not in boot_options(["rd.live.overlay.size=9"], stick)

    def test_without_memory(
        self, version: str, spelling: str, overlayfs: bool, word: bool, prompt: bool
    ) -> None:
        options = boot_options(FEDORA_20, replace(NESTED, dracut_version=version))
        assert not any("overlay" in option for option in options)

    def test_flat_without_memory(
        self, version: str, spelling: str, overlayfs: bool, word: bool, prompt: bool
    ) -> None:
        """2 (b): 058 and 059 need the word, and no later one is harmed by it."""
        options = boot_options((), replace(FLAT, dracut_version=version))
        assert ("rd.live.overlay.overlayfs=1" in options) is word

    def test_common_words(
        self, version: str, spelling: str, overlayfs: bool, word: bool, prompt: bool
    ) -> None:
        options = boot_options(FEDORA_20, replace(NESTED, dracut_version=version))
        assert options[0] == f"root=live:UUID={UUID}"
        assert "rw" in options  # rule 7
        assert "ro" not in options
        assert "rd.live.image" in options
        assert "rootfstype=auto" not in options
        assert [o for o in options if o in {"quiet", "rhgb", "rd.luks=0"}] == FEDORA_20[4:]

    def test_directory_word(
        self, version: str, spelling: str, overlayfs: bool, word: bool, prompt: bool
    ) -> None:
        stick = replace(NESTED, dracut_version=version, directory="A1b2")
        name = "live_dir" if version == "007" else "rd.live.dir"
        assert f"{name}=A1b2" in boot_options((), stick)


def test_rule_1_no_snapshot_over_a_flat_image() -> None:
    with pytest.raises(UnsupportedError, match="flat"):
        boot_options((), replace(FLAT, overlay=SNAPSHOT))


def test_written_through_only_where_there_is_a_filesystem() -> None:
    for packed in (NESTED, FLAT, replace(FLAT, image="rootfs.img")):
        with pytest.raises(UnsupportedError, match="compressed image"):
            boot_options((), replace(packed, overlay=DIRECT))
    with pytest.raises(UnsupportedError, match="read-only"):
        boot_options((), replace(BARE, overlay=DIRECT, readonly=True))
    with pytest.raises(UnsupportedError, match="unknown age"):
        boot_options((), replace(BARE, overlay=DIRECT, dracut_version=None))


def test_a_snapshot_over_an_uncompressed_root() -> None:
    """2 (c): by default the loop is read-only, with a snapshot over it, as in (a)."""
    stick = replace(BARE, overlay=SNAPSHOT)
    assert boot_options((), stick) == boot_options((), replace(stick, image="squashfs.img"))
    assert "rd.live.ram" in boot_options(["rd.live.ram"], BARE)
    # 2 (e): it would set the overlay aside.
    assert "rd.live.ram" not in boot_options(["rd.live.ram"], stick)


def test_a_size_of_the_temporary_overlay_only_where_it_is_used() -> None:
    """1.2: no effect on OverlayFS; beside a persistent overlay only where that is read-only."""
    with pytest.raises(UnsupportedError, match="no effect"):
        boot_options((), replace(FLAT, temporary=512))
    size = "rd.live.overlay.size=512"
    for kind in (SNAPSHOT, DIRECTORY):
        kept = replace(NESTED, temporary=512, overlay=kind)
        assert size not in boot_options((), kept)
        assert (size in boot_options((), replace(kept, readonly=True))) is (kind is SNAPSHOT)


def test_words_for_home_and_swap_come_after_the_overlay_and_once() -> None:
    words = ("liveos.home=home.img", "systemd.swap-extra=/run/x", "nopersistenthome")
    stick = replace(NESTED, overlay=SNAPSHOT, words=words)
    once = boot_options(["persistenthome=/dev/sdb1", "quiet", "liveos.home=old"], stick)
    assert once[-3:] == words
    assert "liveos.home=old" not in once
    # systemd's may be there several times, for several things.
    other = boot_options(["systemd.swap-extra=/run/y"], stick)
    assert "systemd.swap-extra=/run/y" in other
    # A line that is made anew without them keeps them: they are still needed.
    assert set(words) <= set(boot_options(once, replace(stick, words=())))


@pytest.mark.parametrize("version", ["024", "059-4", "109", "112", None])
@pytest.mark.parametrize(
    "stick",
    [
        NESTED,
        replace(NESTED, overlay=SNAPSHOT, words=("liveos.swap=swap.img",)),
        replace(NESTED, directory="A1b2", temporary=64),
        replace(NESTED, overlay=DIRECTORY, readonly=True),
        replace(NESTED, overlay=IMAGE, directory="x"),
        replace(FLAT, overlay=DIRECTORY, image="filesystem.squashfs"),
        replace(BARE, overlay=DIRECT),
    ],
)
def test_a_line_that_is_made_anew_stays_the_same(stick: Installed, version: str | None) -> None:
    stick = replace(stick, dracut_version=version)
    try:
        once = boot_options(FEDORA_20, stick)
    except UnsupportedError:
        return
    assert boot_options(once, stick) == once
    # And nothing of one kind stays when another takes its place.
    bare = replace(stick, overlay=None, temporary=None, readonly=False)
    assert set(boot_options(once, bare)) - {"rd.live.overlay.size=64"} == set(
        boot_options(FEDORA_20, bare)
    ) | set(stick.words)


def test_rule_3_the_path_is_explicit_also_in_another_directory() -> None:
    options = boot_options((), replace(NESTED, directory="A1b2", overlay=SNAPSHOT))
    assert f"rd.live.overlay=UUID={UUID}:/A1b2/overlay-LIVE-{UUID}" in options


@pytest.mark.parametrize("label", ["MY LIVE", "a/b", "a:b"])
def test_rule_8_labels(label: str) -> None:
    assert label_problem(label)
    with pytest.raises(UnsupportedError, match="label"):
        boot_options((), replace(NESTED, label=label, overlay=SNAPSHOT))


@pytest.mark.parametrize("label", ["LIVE", "Fedora-14-x86_64-Live-Desktop.is", "a_b.c-d"])
def test_labels_without_problem(label: str) -> None:
    assert label_problem(label) is None


def test_unknown_age_gets_both_spellings() -> None:
    stick = replace(NESTED, dracut_version=None, directory="A1b2", overlay=SNAPSHOT)
    options = boot_options((), stick)
    place = f"UUID={UUID}:/A1b2/overlay-LIVE-{UUID}"
    for word in (f"overlay={place}", f"rd.live.overlay={place}", "live_dir=A1b2",
                 "rd.live.dir=A1b2", "liveimg", "rd.live.image"):  # fmt: skip
        assert word in options
    with pytest.raises(UnsupportedError, match="unknown age"):
        boot_options((), replace(stick, overlay=DIRECTORY))


def test_liveimg_is_kept_and_only_the_old_get_it() -> None:
    old = replace(NESTED, dracut_version="006")
    assert boot_options(["root=live:LABEL=x"], old)[1:] == ("liveimg", "rw")
    fedora_16 = boot_options(["root=live:LABEL=x", "liveimg"], replace(old, dracut_version="013"))
    assert fedora_16[1:] == ("liveimg", "rd.live.image", "rw")


@pytest.mark.parametrize(
    "word",
    [
        "rd.live.check", "rd.live.check=1", "check", "mediacheck=1", "ro",
        "iso-scan/filename=/a.iso", "rootfstype=iso9660", "root=live:CDLABEL=Y",
        "rd.live.overlay=LABEL=fedorapersist", "rd.live.overlay.overlayfs",
        "rd.live.overlay.reset=1", "rd.overlay=none", "overlay=UUID=1", "initrd=initrd0.img",
        "rd.live.dir=live", "rd.live.squashimg=filesystem.squashfs", "BOOT_IMAGE=vmlinuz0",
        "with\nnewline",
    ],
)  # fmt: skip
def test_words_that_do_not_survive(word: str) -> None:
    assert boot_options([word], NESTED) == boot_options([], NESTED)


@pytest.mark.parametrize(
    "word",
    ["quiet", "rd.luks=0", "nomodeset", "vga=791", "rd.live.ram=1", "rd.live.overlay.size=512",
     "checkpoint=1", "boot=live", "console=ttyS0,115200", "rd.live.image", "a b"],
)  # fmt: skip
def test_words_that_survive(word: str) -> None:
    assert word in boot_options([word], NESTED)


def test_a_thin_overlay_would_set_the_persistent_one_aside() -> None:
    assert "rd.live.overlay.thin" in boot_options(["rd.live.overlay.thin"], NESTED)
    stick = replace(NESTED, overlay=SNAPSHOT)
    assert "rd.live.overlay.thin" not in boot_options(["rd.live.overlay.thin"], stick)


def test_extra_words_come_last() -> None:
    assert boot_options(FEDORA_20, NESTED, ["ro", "console=ttyS0"])[-2:] == ("ro", "console=ttyS0")


def test_image_file_of_another_name() -> None:
    stick = replace(FLAT, image="filesystem.squashfs")
    assert "rd.live.squashimg=filesystem.squashfs" in boot_options((), stick)
    with pytest.raises(UnsupportedError, match="finds no image"):
        boot_options((), replace(stick, dracut_version="024"))
    assert not any("squashimg" in o for o in boot_options((), replace(NESTED, image="rootfs.img")))


def test_mkinitrd_family_names_the_filesystem() -> None:
    line = ["root=CDLABEL=F9", "rootfstype=iso9660", "ro", "liveimg", "quiet"]
    stick = replace(NESTED, family=Family.MKINITRD, dracut_version=None)
    assert boot_options(line, stick) == (
        f"root=UUID={UUID}", "liveimg", "quiet", "rw", "rootfstype=ext4",
    )  # fmt: skip


def test_kiwi_live_knows_labels_only_and_makes_no_partition() -> None:
    line = "root=live:CDLABEL=x rd.live.image rd.live.overlay.persistent rd.live.overlay.cowfs=ext4"
    options = boot_options(line.split(), replace(FLAT, family=Family.KIWI, dracut_version="059"))
    assert options[0] == "root=live:CDLABEL=LIVE"
    assert not any("persistent" in option or "cowfs" in option for option in options)


@pytest.mark.parametrize("family", [Family.LIVE_BOOT, Family.INSTALLER, Family.UNKNOWN])
def test_other_families_are_refused(family: Family) -> None:
    with pytest.raises(UnsupportedError, match=str(family)):
        boot_options((), replace(NESTED, family=family))


def test_variables_of_the_old_menu_are_replaced_or_left_out() -> None:
    entry = Entry(
        "t", Firmware.BIOS, "/boot/grub2/grub.cfg", None, "/k", (),
        ("a", "${basicgfx}", "iso-scan/filename=${iso_path}", "x=$y"),
        variables=(("basicgfx", "nomodeset vga=791"), ("y", "1")),
    )  # fmt: skip
    assert entry_options(entry) == ("a", "nomodeset", "vga=791", "x=1")
