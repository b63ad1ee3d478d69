# SPDX-License-Identifier: Apache-2.0
"""What consoles say when a boot is over, as the programs' own sources spell it."""

import pytest

from liveos.operations.guests.signs import (
    ASKS_ABOUT_OVERLAY,
    ASKS_FOR_PASSPHRASE,
    find_trouble,
    last_words,
)


@pytest.mark.parametrize(
    ("console", "meaning"),
    [
        (
            (
                'BdsDxe: failed to load Boot0001 "UEFI QEMU USB HARDDRIVE" from PciRoot(0x0): '
                "Access Denied\n"
            ),
            "does not trust its signature",
        ),
        ("BdsDxe: No bootable option or device was found.\n", "found nothing to start"),
        ("error: no such device: x.\ngrub rescue> ", "did not find its own files"),
        ("\nGNU GRUB  version 2.06\n\ngrub> ", "found no menu"),
        ("error: you need to load the kernel first.\n", "did not find what its menu names"),
        (
            "[    2.5] Kernel panic - not syncing: VFS: Unable to mount root fs\n",
            "the kernel gave up (“Kernel panic - not syncing: VFS: Unable to mount root fs”)",
        ),
        ("dracut: FATAL: FAILED to find a root filesystem\n", "the initramfs gave up"),
        ("dracut-initqueue[400]: Warning: Could not boot.\n", "did not find the live root"),
        ("You are in emergency mode. After logging in, type\n", "in an emergency shell"),
        ("Cannot open access to console, the root account is locked.", "in an emergency shell"),
    ],
)
def test_the_end_of_a_boot_is_recognised(console: str, meaning: str) -> None:
    assert meaning in (find_trouble(console) or "")


@pytest.mark.parametrize(
    "console",
    [
        "",
        "error: file `/EFI/BOOT/fonts/unicode.pf2' not found.\nBooting\n[ 0.0] Linux version 6.1\n",
        "[  OK  ] Reached target emergency.target - not it\n",
        "Warning: dracut-initqueue: timeout, still waiting for following initqueue hooks:\n",
    ],
)
def test_a_boot_that_may_go_on_is_left_alone(console: str) -> None:
    assert find_trouble(console) is None


def test_dmsquash_lives_question_is_recognised() -> None:
    console = "Unable to find a persistent overlay; using a temporary one.\n Press [Enter] to conti"
    assert not ASKS_ABOUT_OVERLAY.search(console)
    assert ASKS_ABOUT_OVERLAY.search(console + "nue.")


def test_last_words_have_no_terminal_codes() -> None:
    console = "one\n\x1b[0;32m  OK  \x1b[0m Reached\x1b[K\n\n\x1b(Bthree  \n"
    assert last_words(console, lines=2) == "OK   Reached\nthree"


@pytest.mark.parametrize(
    ("console", "asks"),
    [
        # systemd 252 and 257 on a serial console, with and without colours.
        ("Passphrase of the home: \x1b[0;38;5;245m(press TAB for no echo) \x1b[0m", True),
        ("\U0001f510 Please enter passphrase for disk home: (press TAB for no echo) ", True),
        ("Please enter passphrase: (no echo) ", True),
        ("booting\nEnter passphrase for /LiveOS/home.img: ", True),
        ("Password (/dev/sda4):", True),
        ("liveos login: ", False),
        ("Password: ", False),
        ("[  OK  ] Enter passphrase for fun", False),
    ],
)
def test_a_question_for_a_passphrase_is_recognised(console: str, asks: bool) -> None:
    assert bool(ASKS_FOR_PASSPHRASE.search(console)) is asks
