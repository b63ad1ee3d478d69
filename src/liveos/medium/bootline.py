# SPDX-License-Identifier: Apache-2.0
"""The kernel line of an installed image: what its initramfs must be told, in its own spelling.

The rules are those of boot-contract.md (the ten rules, 1.6) and images.md 2.2.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from liveos.errors import UnsupportedError
from liveos.medium import dracut
from liveos.medium.model import Entry, Family, PersistenceKind

DEFAULT_DIRECTORY = "LiveOS"
DEFAULT_IMAGE = "squashfs.img"
_UNCOMPRESSED = frozenset({"rootfs.img", "ext3fs.img"})

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
# kiwi-live would make a partition of its own for these (images.md 1.7).
_KIWI_OVERLAY = frozenset({"rd.live.overlay.persistent", "rd.live.overlay.cowfs"})
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """An image as it lies on a stick: where, what its initramfs is, and how it remembers.

    ``uuid``, ``label`` and ``filesystem`` are those of the filesystem that holds ``directory``.
    ``overlay`` None means that changes are lost at each shutdown. ``dracut_version`` None is an
    initramfs that does not tell.
    """

    uuid: str
    label: str
    filesystem: str = "ext4"
    directory: str = DEFAULT_DIRECTORY
    image: str = DEFAULT_IMAGE
    flat: bool
    family: Family = Family.DMSQUASH
    dracut_version: str | None
    overlay: PersistenceKind | None = None

    @property
    def overlay_path(self) -> str:
        """Where the initramfs looks for the overlay: ``/LiveOS/overlay-<LABEL>-<UUID>``."""
        return f"/{self.directory}/overlay-{self.label}-{self.uuid}"

    @property
    def release(self) -> int | None:
        """The release number of dracut."""
        return dracut.release(self.dracut_version)


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
    _refuse(installed)
    dropped = _REPLACED | (_FORGETFUL if installed.overlay else frozenset())
    if installed.family is Family.KIWI:
        dropped |= _KIWI_OVERLAY
    kept = tuple(
        word
        for word in original
        # Control characters (of a hostile menu) have no place on a kernel line.
        if word.isprintable() and word.partition("=")[0] not in dropped
    )
    return (
        _root(installed),
        *kept,
        "rw",
        *_live_words(kept, installed),
        *_overlay_words(installed),
        *(_spellings(installed, "reset_overlay", "rd.live.overlay.reset") if reset else ()),
        *extra,
    )


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


def label_problem(label: str) -> str | None:
    """Why the initramfs would not find an overlay on a filesystem of this name; None if it would.

    boot-contract.md rule 8: the label is part of a path and of ``DEVICE:PATH``.
    """
    for character, name in ((" ", "a blank"), ("/", "a slash"), (":", "a colon")):
        if character in label:
            return f"{name} in the label {label!r} hides the overlay from the initramfs"
    return None


def _refuse(installed: Installed) -> None:
    release, problem = installed.release, label_problem(installed.label)
    if problem and installed.overlay:
        raise UnsupportedError(problem, hint="choose a label of letters, digits, - and _")
    if installed.family not in {Family.DMSQUASH, Family.MKINITRD, Family.KIWI}:
        raise UnsupportedError(
            f"this image starts by {installed.family}, not by dracut's dmsquash-live",
            hint="liveos installs images whose boot entries say root=live:…",
        )
    if installed.overlay is None:
        return
    if installed.family is not Family.DMSQUASH:
        raise UnsupportedError(
            f"an image that starts by {installed.family} cannot keep changes on a stick",
            hint="install it with --overlay none",
        )
    if installed.overlay is PersistenceKind.SNAPSHOT and installed.flat:
        raise UnsupportedError(
            "a flat image does not start with a snapshot overlay",
            hint="choose --overlay-kind directory",
        )
    if installed.overlay is not PersistenceKind.SNAPSHOT and (
        release is None or release < dracut.OVERLAYFS_SINCE
    ):
        raise UnsupportedError(
            f"dracut {installed.dracut_version or 'of unknown age'} has no OverlayFS",
            hint="choose --overlay-kind snapshot",
        )


def _root(installed: Installed) -> str:
    if installed.family is Family.KIWI:
        return f"root=live:CDLABEL={installed.label}"
    if installed.family is Family.MKINITRD:
        return f"root=UUID={installed.uuid}"
    return f"root=live:UUID={installed.uuid}"


def _live_words(kept: tuple[str, ...], installed: Installed) -> list[str]:
    """Where the image is, and the word by which userspace knows a live session."""
    if installed.family is Family.MKINITRD:
        return [f"rootfstype={installed.filesystem}"]
    flags = _spellings(installed, "liveimg", "rd.live.image")
    words = [flag for flag in flags if flag not in kept]
    if installed.directory != DEFAULT_DIRECTORY:
        names = _spellings(installed, "live_dir", "rd.live.dir")
        words += [f"{name}={installed.directory}" for name in names]
    if installed.image not in {DEFAULT_IMAGE, *_UNCOMPRESSED}:
        words.append(_squashimg(installed))
    return words


def _squashimg(installed: Installed) -> str:
    if (installed.release or dracut.SQUASHIMG_SINCE) < dracut.SQUASHIMG_SINCE:
        raise UnsupportedError(
            f"dracut {installed.dracut_version} finds no image called {installed.image}",
            hint=f"the file must be called {DEFAULT_IMAGE}",
        )
    return f"rd.live.squashimg={installed.image}"


def _overlay_words(installed: Installed) -> list[str]:
    release = installed.release
    words = []
    if installed.overlay is not None:
        # Rules 2 and 3: the device and the path, always. Rule 4: the old name, also from 110.
        place = f"UUID={installed.uuid}:{installed.overlay_path}"
        words = [f"{name}={place}" for name in _spellings(installed, "overlay", "rd.live.overlay")]
    # Rule 5: never beside a snapshot. A flat image has nothing but OverlayFS, and 058 and 059
    # mount none of it without the word (boot-contract.md 2 (b)).
    uses_overlayfs = installed.flat or installed.overlay not in {None, PersistenceKind.SNAPSHOT}
    if uses_overlayfs and (
        release is None or dracut.OVERLAYFS_SINCE <= release <= dracut.OVERLAYFS_WORD_UNTIL
    ):
        words.append("rd.live.overlay.overlayfs=1")
    if installed.overlay and (release is None or release >= dracut.NO_PROMPT_SINCE):
        words.append("rd.live.overlay.nouserconfirmprompt")
    return words


def _spellings(installed: Installed, old: str, new: str) -> tuple[str, ...]:
    """The names of an option that this dracut knows; both when its age is unknown."""
    if installed.release is None:
        return (old, new)
    return (old,) if installed.release <= dracut.OLD_SPELLINGS_ONLY_UNTIL else (new,)
