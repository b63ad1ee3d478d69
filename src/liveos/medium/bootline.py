# SPDX-License-Identifier: Apache-2.0
"""The kernel line of an installed image: what its initramfs must be told, in its own spelling.

The rules are those of boot-contract.md (the ten rules, 1.6) and images.md 2.2.
"""

import re
from collections.abc import Iterable

from liveos.errors import UnsupportedError
from liveos.medium import dracut
from liveos.medium.home.words import is_home_word, leaves_home_closed
from liveos.medium.installed import (
    DEFAULT_DIRECTORY,
    DEFAULT_IMAGE,
    Installed,
    label_problem,
    refuse,
)
from liveos.medium.model import Entry, Family, PersistenceKind

# Words that the installed image gets anew, or must not have; with and without a value.
_REPLACED = frozenset(
    {
        "root", "ro", "rw", "rootfstype", "rd.live.dir", "live_dir", "rd.live.squashimg",
        "rd.live.overlay", "rd.overlay", "overlay", "rd.live.overlay.overlayfs",
        "rd.live.overlay.reset", "rd.overlay.reset", "reset_overlay",
        "rd.live.overlay.readonly", "rd.overlay.readonly", "readonly_overlay",
        "rd.live.overlay.nouserconfirmprompt",
        "rd.live.check", "check", "mediacheck", "iso-scan/filename",
        "initrd", "BOOT_IMAGE",
    }
)  # fmt: skip
# With a persistent overlay these would set it aside (boot-contract.md 2 (d), (f)).
_FORGETFUL = frozenset({"rd.live.overlay.thin", "rd.writable.fsimg", "writable_fsimg"})
# With an uncompressed root this one would, too (boot-contract.md 2 (e)).
_FORGETFUL_UNCOMPRESSED = frozenset({"rd.live.ram", "live_ram"})
# Words for home and swap of which the kernel line has one each.
_SINGLE = frozenset({"liveos.home", "liveos.swap", "persistenthome", "nopersistenthome"})
# kiwi-live would make a partition of its own for these (images.md 1.7).
_KIWI_OVERLAY = frozenset({"rd.live.overlay.persistent", "rd.live.overlay.cowfs"})
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


def boot_options(
    original: Iterable[str],
    installed: Installed,
    extra: Iterable[str] = (),
    *,
    reset: bool = False,
) -> tuple[str, ...]:
    """The words of the kernel line, made from the image's ``original`` ones.

    Words that liveos does not own stay as they are, in order; ``extra`` come last and so win.
    With ``reset`` the initramfs empties the overlay before it uses it.

    :raises UnsupportedError: this initramfs cannot start the image like that.
    """
    refuse(installed)
    kept = tuple(word for word in original if _stays(word, installed))
    return (
        _root(installed),
        *kept,
        *_live_flags(kept, installed),
        "rw",
        *_place_words(installed),
        *_overlay_words(installed),
        *_temporary_words(installed),
        *installed.words,
        *(_spellings(installed, "reset_overlay", "rd.live.overlay.reset") if reset else ()),
        *extra,
    )


def _stays(word: str, installed: Installed) -> bool:
    """Whether a word of the original line is none of those that the installed image gets anew."""
    # Control characters (of a hostile menu) have no place on a kernel line.
    if not word.isprintable() or word in installed.words:
        return False
    if leaves_home_closed(installed.words) and is_home_word(word):
        return False
    return word.partition("=")[0] not in _dropped(installed)


def _dropped(installed: Installed) -> frozenset[str]:
    """Names of words, without their values."""
    names = _REPLACED | (_SINGLE & {word.partition("=")[0] for word in installed.words})
    if installed.overlay is not None:
        names |= _FORGETFUL
        names |= _FORGETFUL_UNCOMPRESSED if installed.is_uncompressed else frozenset()
    if installed.temporary is not None:
        names |= {"rd.live.overlay.size"}
    return names | _KIWI_OVERLAY if installed.family is Family.KIWI else names


def entry_options(entry: Entry) -> tuple[str, ...]:
    """An entry's words with the menu's variables replaced; words with unknown ones are left out.

    A new menu does not set the variables of the old one.
    """
    values = dict(entry.variables)
    words: list[str] = []
    for option in entry.options:
        if all(name in values for name in _names(option)):
            expanded = _VARIABLE.sub(lambda use: values[use[1] or use[2]], option)
            words += expanded.split() if expanded != option else [option]
    return tuple(words)


def _names(option: str) -> list[str]:
    return [braced or plain for braced, plain in _VARIABLE.findall(option)]


def _root(installed: Installed) -> str:
    if installed.family is Family.KIWI:
        return f"root=live:CDLABEL={installed.label}"
    if installed.family is Family.MKINITRD:
        return f"root=UUID={installed.uuid}"
    return f"root=live:UUID={installed.uuid}"


def _live_flags(kept: tuple[str, ...], installed: Installed) -> list[str]:
    """The word by which userspace knows a live session, where it is not there already."""
    if installed.family is Family.MKINITRD:
        return []
    return [flag for flag in _spellings(installed, "liveimg", "rd.live.image") if flag not in kept]


def _place_words(installed: Installed) -> list[str]:
    """Where the image is."""
    if installed.family is Family.MKINITRD:
        return [f"rootfstype={installed.filesystem}"]
    words = []
    if installed.directory != DEFAULT_DIRECTORY:
        names = _spellings(installed, "live_dir", "rd.live.dir")
        words += [f"{name}={installed.directory}" for name in names]
    if installed.image != DEFAULT_IMAGE and not installed.is_uncompressed:
        words.append(_squashimg(installed))
    return words


def directory_words(dracut_version: str | None) -> tuple[str, ...]:
    """The words by which an initramfs is told the directory of its image."""
    release = dracut.release(dracut_version)
    if release is None:
        return ("live_dir", "rd.live.dir")
    return ("live_dir",) if release <= dracut.OLD_SPELLINGS_ONLY_UNTIL else ("rd.live.dir",)


def _squashimg(installed: Installed) -> str:
    if (installed.release or dracut.SQUASHIMG_SINCE) < dracut.SQUASHIMG_SINCE:
        raise UnsupportedError(
            f"dracut {installed.dracut_version} finds no image called {installed.image}",
            hint=f"the file must be called {DEFAULT_IMAGE}",
        )
    return f"rd.live.squashimg={installed.image}"


def _overlay_words(installed: Installed) -> list[str]:
    release, overlay = installed.release, installed.overlay
    words = []
    if overlay is not None:
        # Rules 2 and 3: the device and the path, always. Rule 4: the old name, also from 110,
        # where rd.overlay= would put a tmpfs over a snapshot or over what is written through.
        place = f"UUID={installed.uuid}:{installed.overlay_path}"
        value = "none" if overlay is PersistenceKind.DIRECT else place
        words = [f"{name}={value}" for name in _spellings(installed, "overlay", "rd.live.overlay")]
    # Rule 5: never beside a snapshot. A flat image has nothing but OverlayFS, and 058 and 059
    # mount none of it without the word (boot-contract.md 2 (b)).
    if installed.uses_overlayfs and (
        release is None or dracut.OVERLAYFS_SINCE <= release <= dracut.OVERLAYFS_WORD_UNTIL
    ):
        words.append("rd.live.overlay.overlayfs=1")
    if overlay not in {None, PersistenceKind.DIRECT}:
        words += _manner(installed)
    return words


def _manner(installed: Installed) -> list[str]:
    """How an overlay that is looked for is used, and what happens when it is not found."""
    words = []
    if installed.readonly:
        # Both names: from 110 one half of dracut knows the new one alone (boot-contract.md 1.2).
        words += ["rd.live.overlay.readonly", "rd.overlay.readonly"]
    if installed.release is None or installed.release >= dracut.NO_PROMPT_SINCE:
        words.append("rd.live.overlay.nouserconfirmprompt")
    return words


def _temporary_words(installed: Installed) -> tuple[str, ...]:
    """The size of the store in memory, where changes go to one; in MiB."""
    over_persistent = installed.readonly and installed.overlay is PersistenceKind.SNAPSHOT
    if installed.temporary is None or not (installed.overlay is None or over_persistent):
        return ()
    return (f"rd.live.overlay.size={installed.temporary}",)


def _spellings(installed: Installed, old: str, new: str) -> tuple[str, ...]:
    """The names of an option that this dracut knows; both when its age is unknown."""
    if installed.release is None:
        return (old, new)
    return (old,) if installed.release <= dracut.OLD_SPELLINGS_ONLY_UNTIL else (new,)


__all__ = ["DEFAULT_DIRECTORY", "Installed", "boot_options", "entry_options", "label_problem"]
