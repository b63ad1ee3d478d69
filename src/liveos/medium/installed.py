# SPDX-License-Identifier: Apache-2.0
"""An image as it lies on a stick, and which of its initramfs's abilities that needs.

The rules are those of boot-contract.md (the ten rules, 1.2, 1.6, 2 (c)).
"""

from dataclasses import dataclass, replace

from liveos.errors import UnsupportedError
from liveos.medium import dracut
from liveos.medium.home.words import without_home
from liveos.medium.model import Family, PersistenceKind

DEFAULT_DIRECTORY = "LiveOS"
DEFAULT_IMAGE = "squashfs.img"
UNCOMPRESSED_IMAGE = "rootfs.img"
_UNCOMPRESSED = frozenset({UNCOMPRESSED_IMAGE, "ext3fs.img"})
_OVERLAYFS_KINDS = frozenset({PersistenceKind.DIRECTORY, PersistenceKind.IMAGE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """An image as it lies on a stick: where, what its initramfs is, and how it remembers.

    ``uuid``, ``label`` and ``filesystem`` are those of the filesystem that holds ``directory``.
    ``overlay`` None means that changes are lost at each shutdown; with ``readonly`` it is used, but
    what is new is lost. ``temporary`` is the size in MiB of the snapshot store in memory that holds
    what is lost. ``words`` are what home and swap need. ``dracut_version`` None is an initramfs
    that does not tell.
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
    readonly: bool = False
    temporary: int | None = None
    words: tuple[str, ...] = ()

    @property
    def overlay_path(self) -> str:
        """Where the initramfs looks for the overlay: ``/LiveOS/overlay-<LABEL>-<UUID>``."""
        return f"/{self.directory}/overlay-{self.label}-{self.uuid}"

    @property
    def is_uncompressed(self) -> bool:
        """The root is a filesystem in a file of its own."""
        return self.image in _UNCOMPRESSED

    @property
    def uses_overlayfs(self) -> bool:
        """A flat image has nothing else."""
        return self.flat or self.overlay in _OVERLAYFS_KINDS

    @property
    def forgetful(self) -> "Installed":
        """The same image, started so that no change is kept: its home stays closed, too."""
        return replace(self, overlay=None, readonly=False, words=without_home(self.words))

    @property
    def release(self) -> int | None:
        """The release number of dracut."""
        return dracut.release(self.dracut_version)


def label_problem(label: str) -> str | None:
    """Why the initramfs would not find an overlay on a filesystem of this name; None if it would.

    boot-contract.md rule 8: the label is part of a path and of ``DEVICE:PATH``.
    """
    for character, name in ((" ", "a blank"), ("/", "a slash"), (":", "a colon")):
        if character in label:
            return f"{name} in the label {label!r} hides the overlay from the initramfs"
    return None


def refuse(installed: Installed) -> None:
    """Return if the initramfs can start the image like that.

    :raises UnsupportedError: it cannot; says why, and what can be done instead.
    """
    if installed.family not in {Family.DMSQUASH, Family.MKINITRD, Family.KIWI}:
        raise UnsupportedError(
            f"this image starts by {installed.family}, not by dracut's dmsquash-live",
            hint="liveos installs images whose boot entries say root=live:…",
        )
    if installed.overlay is not None:
        _refuse_memory(installed)
        if installed.overlay is PersistenceKind.DIRECT:
            _refuse_direct(installed)
        else:
            _refuse_overlay(installed)
    if installed.temporary is not None:
        _refuse_temporary(installed)


def _refuse_memory(installed: Installed) -> None:
    problem = label_problem(installed.label)
    if problem and installed.overlay is not PersistenceKind.DIRECT:
        raise UnsupportedError(problem, hint="choose a label of letters, digits, - and _")
    if installed.family is not Family.DMSQUASH:
        raise UnsupportedError(
            f"an image that starts by {installed.family} cannot keep changes on a stick",
            hint="install it with --overlay none",
        )


def _refuse_overlay(installed: Installed) -> None:
    is_snapshot = installed.overlay is PersistenceKind.SNAPSHOT
    if is_snapshot and installed.flat:
        raise UnsupportedError(
            "a flat image does not start with a snapshot overlay",
            hint="choose --overlay-kind directory",
        )
    release = installed.release
    if not is_snapshot and (release is None or release < dracut.OVERLAYFS_SINCE):
        raise UnsupportedError(
            f"{_age(installed)} has no OverlayFS", hint="choose --overlay-kind snapshot"
        )
    if installed.readonly and not dracut.uses_read_only(release, snapshot=is_snapshot):
        raise UnsupportedError(
            f"{_age(installed)} cannot use a persistent overlay read-only",
            hint="leave out --read-only-overlay",
        )


def _refuse_direct(installed: Installed) -> None:
    if installed.flat or not installed.is_uncompressed:
        raise UnsupportedError(
            "a compressed image cannot be written through", hint="add --uncompressed"
        )
    if installed.readonly:
        raise UnsupportedError(
            "a root that is written through has no overlay to be used read-only",
            hint="choose --overlay none: then nothing is kept",
        )
    if installed.release is None or installed.release < dracut.WRITE_THROUGH_SINCE:
        raise UnsupportedError(
            f"{_age(installed)} cannot write through an uncompressed root"
            f" ({dracut.WRITE_THROUGH_SINCE:03} can)",
            hint="choose --overlay-kind snapshot",
        )


def _refuse_temporary(installed: Installed) -> None:
    if installed.flat:
        raise UnsupportedError(
            "a size of the temporary overlay has no effect on a flat image: OverlayFS keeps what"
            " is new in a tmpfs",
            hint="leave out --temporary",
        )
    release = installed.release
    if installed.family is not Family.DMSQUASH or (
        release is not None and release < dracut.TEMPORARY_SIZE_SINCE
    ):
        raise UnsupportedError(
            f"{_age(installed)} gives a temporary overlay the size that it chooses itself",
            hint="leave out --temporary",
        )


def _age(installed: Installed) -> str:
    return f"dracut {installed.dracut_version or 'of unknown age'}"
