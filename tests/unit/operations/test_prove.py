# SPDX-License-Identifier: Apache-2.0
"""How boots become a proof; the boots themselves are played (tests/vm has real ones)."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from liveos.errors import UnsupportedError
from liveos.host.luks import private_key
from liveos.host.machine.qemu import Accelerator, Machine
from liveos.medium.model import (
    Entry,
    Firmware,
    Medium,
    MediumKind,
    Overlay,
    PersistenceKind,
    Store,
)
from liveos.operations.guests.guest import BootFiles, Patience
from liveos.operations.guests.menu_edits import MenuEdits
from liveos.operations.guests.shell import Answer
from liveos.operations.prove import mark
from liveos.operations.prove import proving as module
from liveos.operations.prove.judgement import Memory, find_memory
from liveos.operations.prove.mark import memory_problems
from liveos.operations.prove.observation import Observation, parse_mounts
from liveos.operations.prove.proof import BootReport, Proof, Showing, proof_document
from liveos.operations.prove.proving import ProveRequest, prove
from liveos.operations.prove.watched_boot import Task
from tests.unit.operations.sources import NESTED

STICK = "33 24 8:3 / /run/initramfs/overlayfs rw shared:1 - ext4 /dev/sda3 rw\n"
RUN = "24 1 0:22 / /run rw shared:2 - tmpfs tmpfs rw\n"
ROOT = "1 1 0:30 / / rw shared:3 - overlay LiveOS_rootfs rw,upperdir=/run/overlayfs\n"
HOME = "40 1 7:5 / /home rw shared:4 - ext4 /dev/loop5 rw\n"
KEPT = Observation(
    cmdline="rd.live.overlay=UUID=1:/LiveOS/overlay-A-1",
    kernel="6.12.1",
    mounts=parse_mounts(RUN + ROOT + STICK),
    loops={},
    mapped=(),
    upper="/run/initramfs/overlayfs/LiveOS/overlay-A-1",
    asked_overlay="nothing",
)
LOST = replace(KEPT, mounts=parse_mounts(RUN + ROOT))


class PlayedGuest:
    """A guest whose files are a dictionary; those in ``forgets`` are gone at the next boot.

    After ``boots`` of them nothing is forgotten any more.
    """

    def __init__(self, forgets: str | None = None, boots: int = 9) -> None:
        self.asked_secret = False
        self.files: dict[str, str] = {}
        self._forgets = forgets
        self._boots = boots

    def ask(self, command: str) -> Answer:
        words = command.split()
        if words[0] == "cat":
            return Answer(self.files.get(words[1], "cat: no such file") + "\n", 0)
        assert words[:2] == ["mkdir", "-p"]
        self.files[words[7]] = words[5]
        return Answer("", 0)

    def reboot(self) -> None:
        self._boots -= 1
        if self._forgets is not None and self._boots >= 0:
            gone = [path for path in self.files if path.startswith(self._forgets)]
            for path in gone:
                del self.files[path]


Play = Callable[..., Proof]


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Play:
    """A proof of boots in which the guest says ``seen``."""

    def run(
        seen: Observation, guest: PlayedGuest | None = None, request: ProveRequest | None = None
    ) -> Proof:
        guest = guest or PlayedGuest()

        def boot(
            machine: Machine,
            files: BootFiles,
            patience: Patience,
            task: Task,
            secret: bytes | None,
        ) -> tuple[BootReport, list[str]]:
            report = BootReport(12.5, seen.kernel, seen.cmdline, overlay=find_memory(seen))
            found = task(guest, seen)  # type: ignore[arg-type]
            guest.reboot()
            return report, found

        monkeypatch.setattr(module, "watch_boot", boot)
        monkeypatch.setattr(module, "make_layer", lambda *_: None)
        monkeypatch.setattr(module, "patch_layer", lambda *_: None)
        monkeypatch.setattr(module, "edit_menus", lambda *_, **__: MenuEdits(("/grub.cfg",)))
        medium = tmp_path / "stick.img"
        # An MBR with one partition: enough of a disk to be worth a try.
        partition = bytes([0x80, 0, 0, 0, 0x83, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0])
        table = bytes(446) + partition + bytes(48) + b"\x55\xaa"
        medium.write_bytes(table + bytes(1 << 16))
        wanted = request or ProveRequest()
        own = replace(wanted, output=tmp_path / "out", accelerator=Accelerator.TCG)
        return prove(medium, own)

    return run


def test_two_boots_and_a_mark_prove_a_stick(play: Play) -> None:
    proof = play(KEPT)
    assert (len(proof.boots), proof.marker_survived, proof.problems) == (2, True, ())
    assert proof.proved
    assert proof.not_shown == ()


def test_what_cannot_boot_is_not_waited_for(tmp_path: Path) -> None:
    medium = tmp_path / "blank.img"
    medium.write_bytes(bytes(1 << 16))
    with pytest.raises(UnsupportedError, match="nothing in it can boot"):
        prove(medium, ProveRequest())


def test_a_lost_mark_is_a_problem(play: Play) -> None:
    proof = play(KEPT, PlayedGuest(forgets="/var/lib"))
    assert proof.marker_survived is False
    assert proof.problems == ("boot 2: what was written into /var/lib is gone",)


def test_a_home_of_its_own_gets_a_mark_of_its_own(play: Play) -> None:
    with_home = replace(KEPT, mounts=KEPT.mounts + parse_mounts(HOME))
    proof = play(with_home, PlayedGuest(forgets="/home"))
    assert proof.problems == ("boot 2: what was written into /home is gone",)


def test_changes_that_go_to_memory_end_the_proof_with_the_reason(play: Play) -> None:
    proof = play(LOST)
    assert (len(proof.boots), proof.marker_survived) == (1, None)
    (problem,) = proof.problems
    assert problem.startswith("boot 1: booted, but its changes go to memory: ")
    assert problem.endswith("/LiveOS/overlay-A-1, and there is nothing of that name on the stick")


def test_what_the_stick_has_must_be_used(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guest shows neither the home nor the swap."""
    image = replace(
        NESTED,
        overlay=Overlay(PersistenceKind.DIRECTORY, "/LiveOS/overlay-A-1", None),
        home=Store("/LiveOS/home.img", 1, encrypted=True),
        swap=Store("/LiveOS/swap.img", 1, encrypted=False),
    )
    found = Medium(Path("stick.img"), MediumKind.DISK, None, 1, images=(image,))
    monkeypatch.setattr(module, "inspect", lambda _: found)
    proof = play(KEPT)
    assert proof.problems == (
        "boot 1: the home in /LiveOS/home.img is encrypted, yet no passphrase was asked for",
        "boot 1: the stick has swap in /LiveOS/swap.img, and the system does not use it",
    )
    assert "no passphrase was typed" in proof.not_shown[0]
    asked = PlayedGuest()
    asked.asked_secret = True
    with private_key("the key", b"secret") as key:
        proof = play(KEPT, asked, ProveRequest(key=key))
    assert proof.problems[0] == (
        "boot 1: the passphrase was typed, yet the home in /LiveOS/home.img is not mounted"
    )
    assert proof.not_shown == ()


def reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stick whose only entry reads its overlay and no more."""
    words = ("root=live:UUID=1", "rd.live.overlay=UUID=1:/o", "rd.overlay.readonly")
    entry = Entry("t", Firmware.BIOS, "/grub.cfg", None, "/k", (), words)
    found = Medium(
        Path("stick.img"), MediumKind.DISK, None, 1, images=(replace(NESTED, entries=(entry,)),)
    )
    monkeypatch.setattr(module, "inspect", lambda _: found)


def test_an_overlay_that_is_only_read_must_not_take_changes(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading(monkeypatch)
    proof = play(KEPT)
    assert proof.showing is Showing.READ_ONLY
    assert proof.problems == (
        "boot 2: booted so that changes are not kept, as its entry says, yet they are",
    )
    assert play(LOST).problems[0].startswith("boot 1: booted, but its changes go to memory")


@pytest.fixture
def menu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A menu of three entries: as usual, without memory, with an empty overlay."""
    words = ("root=live:UUID=1", "rd.live.overlay=UUID=1:/LiveOS/overlay-A-1")
    lines = (words, words[:1], (*words, "rd.live.overlay.reset"))
    entries = tuple(
        Entry("t", Firmware.BIOS, "/grub.cfg", None, "/k", (), options) for options in lines
    )
    image = replace(NESTED, entries=entries)
    found = Medium(Path("stick.img"), MediumKind.DISK, None, 1, images=(image,))
    monkeypatch.setattr(module, "inspect", lambda _: found)


def test_an_overlay_that_the_menu_empties_is_empty_and_remembers_again(
    play: Play, menu: None
) -> None:
    shown = ProveRequest(showing=Showing.RESET)
    proof = play(KEPT, PlayedGuest(forgets="/var/lib", boots=1), shown)
    assert (len(proof.boots), proof.marker_survived, proof.problems) == (3, True, ())
    assert play(KEPT, PlayedGuest(), shown).problems == (
        "boot 2: what was written into /var/lib is still there",
    )


def test_a_home_of_its_own_outlives_the_reset(play: Play, menu: None) -> None:
    with_home = replace(KEPT, mounts=KEPT.mounts + parse_mounts(HOME))
    forgetful = PlayedGuest(forgets="/", boots=1)
    proof = play(with_home, forgetful, ProveRequest(showing=Showing.RESET))
    assert proof.problems == ("boot 2: what was written into /home is gone, too",)


def test_an_entry_without_memory_must_not_keep_anything(play: Play, menu: None) -> None:
    proof = play(KEPT, request=ProveRequest(showing=Showing.NO_TRACE))
    assert proof.problems == (
        "boot 1: booted so that changes are not kept, as its entry says, yet they are",
    )


def test_an_entry_without_memory_must_not_open_the_home(play: Play, menu: None) -> None:
    with_home = replace(LOST, mounts=LOST.mounts + parse_mounts(HOME))
    proof = play(with_home, request=ProveRequest(showing=Showing.NO_TRACE))
    assert proof.problems == (
        "boot 1: booted so that changes are not kept, yet with a home that keeps them",
    )


def test_a_menu_without_such_an_entry_is_named(
    play: Play, menu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = Medium(Path("stick.img"), MediumKind.DISK, None, 1)
    monkeypatch.setattr(module, "inspect", lambda _: none)
    with pytest.raises(UnsupportedError, match="no entry of the boot menu empties"):
        play(KEPT, request=ProveRequest(showing=Showing.RESET))


def test_persistence_that_nobody_asked_for_is_not_missed(play: Play) -> None:
    proof = play(LOST, request=ProveRequest(showing=Showing.BOOTS))
    assert (len(proof.boots), proof.marker_survived, proof.problems) == (1, None, ())
    assert proof.not_shown == ("whether changes survive was not asked for, and not looked at",)


def test_the_document_has_the_shape_that_scripts_rely_on(play: Play) -> None:
    document = proof_document(play(KEPT))
    assert document == json.loads(json.dumps(document))
    assert {"proved", "firmware", "boots", "marker_survived", "problems"} <= document.keys()
    assert document["firmware"] == "bios"
    wanted = {
        *("seconds", "kernel", "cmdline", "root", "overlay", "home"),
        *("serial_log", "screenshot"),
    }
    assert wanted <= document["boots"][0].keys()
    assert document["boots"][0]["overlay"] == {
        "kind": "directory",
        "store": "/run/initramfs/overlayfs/LiveOS/overlay-A-1",
        "persistent": True,
        "status_line": None,
    }


def test_a_full_snapshot_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    full = Memory(PersistenceKind.SNAPSHOT, "/o", persistent=True, status_line="Invalid")
    monkeypatch.setattr(mark, "find_memory", lambda _: full)
    assert memory_problems(KEPT) == ["booted, but its overlay takes no more changes: it is Invalid"]
