# SPDX-License-Identifier: Apache-2.0
"""What a console says when a boot will not get any further, and what that means."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sign:
    """Words on the console after which waiting is useless, and the sentence for a person."""

    pattern: re.Pattern[str]
    meaning: str


def _sign(pattern: str, meaning: str) -> Sign:
    return Sign(re.compile(pattern), meaning)


# The words are those of edk2 (MdeModulePkg BdsDxe), shim, GRUB, the kernel, dracut and systemd.
_SIGNS = (
    _sign(
        r"failed to (?:load|start) Boot.*Access Denied",
        "the firmware refused the boot loader: Secure Boot is on and does not trust its signature",
    ),
    _sign(
        r"Security Violation|bad shim signature|Verification failed: \(0x1A\)",
        "a part of the boot chain was refused: Secure Boot does not trust its signature",
    ),
    _sign(r"No bootable option or device was found", "the firmware found nothing to start"),
    _sign(r"No bootable device\.", "the firmware found nothing to start"),
    _sign(r"grub rescue>", "GRUB did not find its own files"),
    _sign(r"(?m)^grub> *$", "GRUB found no menu"),
    _sign(r"error: .*you need to load the kernel first", "GRUB did not find what its menu names"),
    _sign(r"Kernel panic - not syncing: .*", "the kernel gave up"),
    _sign(r"dracut: FATAL: .*|dracut: Refusing to continue", "the initramfs gave up"),
    _sign(r"Could not boot\.", "the initramfs did not find the live root"),
    _sign(
        r"Entering emergency mode|You are in emergency mode|Give root password for maintenance|"
        r"root account is locked|Press Enter for maintenance",
        "the boot ended in an emergency shell",
    ),
)

# dmsquash-live (045 and later) asks this when the overlay that its boot line names is not there.
ASKS_ABOUT_OVERLAY = re.compile(r"Press \[Enter\] to continue")
# The agent of systemd-ask-password ends its question like this (ask-password-api.c); cryptsetup and
# plymouth without a picture have a line of their own.
ASKS_FOR_PASSPHRASE = re.compile(
    r"\((?:press TAB for )?no echo\)|(?m:^Enter passphrase for \S+: *$|^Password \(/dev/\S+\): *$)"
)
MISSING_OVERLAY = re.compile(r"Unable to find (?:a )?persistent overlay")


def find_trouble(console: str) -> str | None:
    """One sentence on why the boot ended, with the console's own words; None while it may go on."""
    for sign in _SIGNS:
        match = sign.pattern.search(console)
        if match:
            return f"{sign.meaning} (“{match[0].strip()}”)"
    return None


def last_words(console: str, lines: int = 8) -> str:
    """The end of a console's log without terminal control sequences, for an error message."""
    plain = re.sub(r"\x1b(?:\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|.)", "", console)
    spoken = [line.strip() for line in plain.splitlines() if line.strip()]
    return "\n".join(spoken[-lines:])
