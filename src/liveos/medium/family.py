# SPDX-License-Identifier: Apache-2.0
"""Which live scheme starts an image: told by its kernel lines and its initramfs, not its name."""

from collections.abc import Iterable

from liveos.medium.model import Entry, Family

_INSTALLER_WORDS = frozenset({"inst.stage2", "stage2", "inst.repo"})


def family_of(entries: Iterable[Entry], modules: Iterable[str] = ()) -> Family:
    """The scheme of the entries of an image whose initramfs has these dracut modules.

    images.md section 6, steps 3 and 6.
    """
    if any("kiwi-live" in module for module in modules):
        return Family.KIWI
    families = [family_of_options(entry.options) for entry in entries]
    known = [family for family in families if family is not Family.UNKNOWN]
    return known[0] if known else Family.UNKNOWN


def family_of_options(options: Iterable[str]) -> Family:
    """The scheme that one kernel line asks for."""
    words = {name: value for name, _, value in (word.partition("=") for word in options)}
    root = words.get("root", "")
    if "rd.live.overlay.persistent" in words:
        return Family.KIWI
    if root.startswith(("live:", "liveiso:")) or ("rd.live.image" in words and root):
        return Family.DMSQUASH
    if root.startswith("CDLABEL=") and "liveimg" in words:
        return Family.MKINITRD
    if _INSTALLER_WORDS & words.keys():
        return Family.INSTALLER
    return Family.LIVE_BOOT if words.get("boot") in {"live", "casper"} else Family.UNKNOWN
