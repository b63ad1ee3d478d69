# SPDX-License-Identifier: Apache-2.0
"""Lines of livecd-iso-to-disk and the lines that do the same, written by hand from the reference.

The reference is livecd-tools.md 1.2: what each option asked for.
"""

import shlex
from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveos.cli import litd_words
from liveos.cli.litd import litd
from liveos.cli.litd_modern import DONE_ANYWAY, NO_COUNTERPART, modern
from liveos.cli.main import main
from liveos.cli.output import Output
from liveos.errors import ExitStatus, UsageError

PLACES = "a.iso /dev/sdb"
LINES = {
    # The table is msdos unless --efi is said; no overlay is made unless one is asked for.
    "--format --efi": "--erase --overlay none",
    "--format ext4 --efi": "--erase --overlay none",
    "--format --noverify": "--erase --table msdos --no-verify --overlay none",
    "--format vfat --efi": "--erase --filesystem fat32 --overlay none",
    "--format --msdos": "--erase --table msdos --filesystem fat32 --overlay none",
    "--msdos": "--erase --table msdos --filesystem fat32 --overlay none",
    "--format --msdos --noesp": (
        "--erase --table msdos --filesystem fat32 --layout single --overlay none"
    ),
    "--format btrfs --efi": "--erase --filesystem btrfs --overlay none",
    "--format xfs,- --mactel": "--erase --filesystem xfs --overlay none",
    "--format f2fs --efi": "--erase --filesystem f2fs --overlay none",
    "--format f2fs,-,extra_attr,compression --efi": (
        "--erase --filesystem f2fs --f2fs-features extra_attr,compression --overlay none"
    ),
    "--format --efi --nomac --reset-mbr --nobootmsg --compress": "--erase --overlay none",
    "--format --efi --resetmbr --delete-home --crypted-home": "--erase --overlay none",
    "--format --efi --skipcompress": "--erase --uncompressed --overlay none",
    "--format --efi --skipcompress --no-overlay": "--erase --uncompressed --overlay-kind direct",
    "--format --efi --overlay-size-mb 512": "--erase --overlay 512M",
    "--format --efi --overlay-size-mb 512 --home-size-mb 1024": (
        "--erase --overlay 512M --home 1024M"
    ),
    "--format --efi --overlay-size-mb 512 --home-size-mb 300,ext4 --unencrypted-home": (
        "--erase --overlay 512M --home 300M --plain-home"
    ),
    "--format --efi --swap-size-mb 256": "--erase --overlay none --swap 256M",
    "--format --efi --overlayfs": "--erase --overlay-kind directory",
    "--format --efi --overlayfs temp": (
        "--erase --overlay none --kernel-args rd.live.overlay.overlayfs=1"
    ),
    "--format --efi --msdos --overlayfs --overlay-size-mb 700,ext4": (
        "--erase --filesystem fat32 --overlay-kind image --overlay 700M"
    ),
    # On FAT, 4096 was cut to what a file can have.
    "--format vfat --efi --overlay-size-mb 4096": ("--erase --filesystem fat32 --overlay 4095M"),
    "--format --efi --copy-overlay --copy-home": "--erase --copy-overlay --copy-home",
    "--format --efi --label 'MY STICK'": "--erase --label MY_STICK --overlay none",
    "--format --efi --livedir 'My/Live Dir'": "--erase --name My-Live_Dir --overlay none",
    "--format --efi --extra-kernel-args 'nomodeset quiet'": (
        "--erase --overlay none --kernel-args 'nomodeset quiet'"
    ),
    "--format --efi --overlayfs temp --extra-kernel-args nomodeset": (
        "--erase --overlay none --kernel-args 'nomodeset rd.live.overlay.overlayfs=1'"
    ),
    # Tenths of a second, rounded half up.
    "--format --efi --timeout 100": "--erase --overlay none --timeout 10",
    "--format --efi --timeout 45": "--erase --overlay none --timeout 5",
    "--format --efi --timeout -0": "--erase --overlay none --timeout 0",
    "--format --efi --nomenu": "--erase --overlay none --timeout 0",
    "--multi": "--add --overlay none",
    "--multi --livedir Rescue --overlay-size-mb 300": "--add --name Rescue --overlay 300M",
    "--multi --overlayfs": "--add --overlay-kind directory",
    "--multi --overlayfs --overlay-size-mb 300": "--add --overlay-kind image --overlay 300M",
    # New words are handed on.
    "--format --efi --dry-run --yes --size 8G --key-file /k": (
        "--erase --overlay none --dry-run --yes --size 8G --key-file /k"
    ),
}
REFUSED = {
    "": "--format",
    "--efi": "--format",
    "--format --multi": "--multi",
    "--multi --reset-mbr": "--reset-mbr",
    "--multi --noesp": "--noesp",
    "--format --efi --noesp": "--noesp",
    "--format 2048 --efi": "whole device",
    "--format 2048,ext4 --efi": "whole device",
    "--format ext3 --efi": "ext4",
    "--format ntfs --efi": "ntfs",
    "--format ext4,4096 --efi": "blocks",
    "--format ext4,-,compression --efi": "f2fs",
    "--format --skipcopy": "--skipcopy",
    "--format --reconfig": "--skipcopy",
    "--format --force": "--yes",
    "--format --xo": "OLPC",
    "--format --xo-no-home": "OLPC",
    "--format --totaltimeout 100": "--totaltimeout",
    "--format --reset-overlay": "overlay reset",
    "--format --updates u.img": "inst.updates",
    "--format --ks ks.cfg": "inst.ks",
    "--format --timeout -1": "36000",
    "--format --timeout 0": "-0",
    "--format --timeout soon": "tenths",
    "--format --overlay-size-mb 0": "MiB",
    "--format --overlay-size-mb 1G": "MiB",
    "--format --overlay-size-mb 100,xfs": "ext4",
    "--format --home-size-mb 100,btrfs,4": "ext4",
    "--format --overlayfs --overlay-size-mb 100": "no size",
    "--format --msdos --overlayfs": "--overlay-size-mb",
    "--format --no-overlay": "--skipcompress",
    "--format --overlay-size-mb 9 --no-overlay": "contradict",
    "--format --overlay-size-mb 9 --copy-overlay": "contradict",
    "--format --overlayfs temp --overlay-size-mb 9": "contradict",
    "--format --home-size-mb 9 --copy-home": "contradict",
    "--format --noefi": "--noefi",
    "--format --overlayfs=temp": "without '='",
}


@pytest.mark.parametrize("old", LINES)
def test_lines(old: str) -> None:
    words = shlex.split(f"{old} {PLACES}")
    assert list(modern(words)) == ["install", *shlex.split(f"{LINES[old]} {PLACES}")]


@pytest.mark.parametrize("old", REFUSED)
def test_refusals_say_what_to_do(old: str) -> None:
    with pytest.raises(UsageError) as caught:
        modern(shlex.split(f"{old} {PLACES}"))
    assert caught.value.hint
    assert REFUSED[old] in f"{caught.value.message} {caught.value.hint}"


def test_every_option_is_in_one_of_the_tables() -> None:
    tried = {word for line in (*LINES, *REFUSED) for word in line.split() if word[:2] == "--"}
    every = {"--format", "--overlayfs", *litd_words.FLAGS, *litd_words.WITH_VALUE}
    assert every | set(litd_words.ALIASES) <= tried
    assert set(DONE_ANYWAY) | set(NO_COUNTERPART) <= every


def test_the_next_word_belongs_to_format_unless_it_is_an_option() -> None:
    with pytest.raises(UsageError, match=r"a\.iso"):
        modern(["--format", "a.iso", "/dev/sdb", "x"])


@pytest.mark.parametrize("words", [[], ["a.iso"], ["a", "b", "c"], ["--format", "--label"]])
def test_a_source_and_a_target_are_needed(words: list[str]) -> None:
    with pytest.raises(UsageError):
        modern(words)


@pytest.mark.parametrize(
    ("partition", "device"),
    [
        ("/dev/sdb1", "/dev/sdb"),
        ("/dev/vda12", "/dev/vda"),
        ("/dev/mmcblk0p1", "/dev/mmcblk0"),
        ("/dev/nvme0n1p2", "/dev/nvme0n1"),
        ("/dev/loop0p1", "/dev/loop0"),
        ("/dev/loop0", "/dev/loop0"),
        ("/dev/mmcblk0", "/dev/mmcblk0"),
        ("/dev/sdb", "/dev/sdb"),
        ("stick1.img", "stick1.img"),
        ("live", "live"),
    ],
)
def test_an_image_is_added_to_the_device_of_a_partition(partition: str, device: str) -> None:
    assert modern(["--multi", "a.iso", partition])[-1] == device
    assert modern(["--format", "--efi", "a.iso", partition])[-1] == partition


@given(st.lists(st.sampled_from([*litd_words.FLAGS, *litd_words.WITH_VALUE, "--format", "7", "x"])))
def test_any_words_make_a_line_or_a_refusal(words: list[str]) -> None:
    with suppress(UsageError):
        assert modern(words)[0] == "install"


def run_with(monkeypatch: pytest.MonkeyPatch, status: ExitStatus) -> list[Sequence[str]]:
    """What would be run is kept instead."""
    ran: list[Sequence[str]] = []

    def keep(words: Sequence[str]) -> int:
        ran.append(words)
        return status

    monkeypatch.setattr("liveos.cli.main.main", keep)
    return ran


def test_what_is_shown_is_what_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = run_with(monkeypatch, ExitStatus.REFUSED)
    words = ["--format", "--efi", "--extra-kernel-args", "a 'b c'", "my live.iso", "/dev/sdb"]
    assert litd(Output(as_json=True, verbose=True), words) is ExitStatus.REFUSED
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("liveos install --verbose --json --erase")
    assert shlex.split(err) == ["liveos", *ran[0]]
    assert ran[0][-4:] == ["--kernel-args", "a 'b c'", "my live.iso", "/dev/sdb"]


def test_what_install_does_not_offer_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = run_with(monkeypatch, ExitStatus.DONE)
    monkeypatch.setattr("liveos.cli.litd._options", lambda _verb: frozenset({"--erase"}))
    with pytest.raises(UsageError, match=r"--overlay, which is not offered yet") as caught:
        litd(Output(), ["--format", "--efi", "a.iso", "/dev/sdb"])
    assert "liveos install --erase --overlay none a.iso /dev/sdb" in str(caught.value.hint)
    assert (ran, capsys.readouterr().err) == ([], "")


def test_old_options_reach_the_reader_as_they_stand(
    capsys: pytest.CaptureFixture[str], tmp_path: object
) -> None:
    """Through the program's own parser, which must not take them for its own."""
    line = ["litd", "--format", "--efi", "--timeout", "-0", "--noverify", "--dry-run"]
    assert main([*line, f"{tmp_path}/no.iso", f"{tmp_path}/stick.img"]) == ExitStatus.USAGE
    first = capsys.readouterr().err.splitlines()[0]
    assert first == (
        "liveos install --erase --no-verify --overlay none --timeout 0 --dry-run"
        f" {tmp_path}/no.iso {tmp_path}/stick.img"
    )
