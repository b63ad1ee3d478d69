# SPDX-License-Identifier: Apache-2.0
"""What the running kernel's line asks of the overlay, against what the system has.

Names and their meaning are those of dracut's live module (boot-contract.md 1.2).
"""

from collections.abc import Iterable

from liveos.report import Finding, Severity

_OVERLAY = frozenset({"overlay", "rd.live.overlay", "rd.overlay"})
_READ_ONLY = frozenset({"readonly_overlay", "rd.live.overlay.readonly", "rd.overlay.readonly"})
_NO = frozenset({"0", "no", "off"})
_NO_PLACE = _NO | {"1", "yes", "on", "none", ""}


def asked_overlay(words: Iterable[str]) -> str | None:
    """The device and path of the persistent overlay that a kernel line names; the last counts."""
    found = None
    for word in words:
        name, _, value = word.partition("=")
        if name in _OVERLAY and value not in _NO_PLACE:
            found = value
    return found


def is_asked_read_only(words: Iterable[str]) -> bool:
    """A boolean word counts with no value and with any but 0, no and off (dracut's getargbool)."""
    pairs = [word.partition("=") for word in words]
    return any(name in _READ_ONLY and value not in _NO for name, _, value in pairs)


def remarks(words: tuple[str, ...]) -> tuple[Finding, ...]:
    """Why the overlay is in memory although the kernel line names one, if it does."""
    place = asked_overlay(words)
    if place is None:
        return ()
    if is_asked_read_only(words):
        message = f"{place} is used as it was left: the kernel line asks not to write to it"
        return (Finding("read-only", Severity.INFO, message),)
    message = f"the kernel line asks for {place}, and the initramfs has not used it"
    repair = "see its messages: journalctl -b -t dracut-initqueue -t dracut-pre-mount"
    return (Finding("not-used", Severity.WARNING, message, repair),)
