# SPDX-License-Identifier: Apache-2.0
"""Which kinds of memory an image can have, and why not the others.

Decided from what the image's own initramfs can do: boot-contract.md, the ten rules and section 7.
"""

from collections.abc import Iterable

from liveos.medium import dracut
from liveos.medium.model import (
    Container,
    Family,
    Initramfs,
    PersistenceKind,
    PersistenceOption,
    Root,
)

_WRONG_FAMILY = {
    Family.MKINITRD: "its initrd was made before dracut and is not known to keep changes",
    Family.KIWI: (
        "its initramfs has kiwi-live, which keeps changes only on a disk that the ISO itself"
        " was written to, or beside the ISO file"
    ),
    Family.LIVE_BOOT: "it starts by live-boot, whose persistence is a different one",
    Family.INSTALLER: "it is an installer, not a live system",
    Family.UNKNOWN: "no boot entry starts it as a live system (root=live:…)",
}
_WRITABLE = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs"})


def persistence_of(
    root: Root, initramfs: Initramfs | None, family: Family
) -> tuple[PersistenceOption, ...]:
    """All kinds, each usable or with the reason why not."""
    general = _general_reason(root, initramfs, family)
    options = []
    for kind in PersistenceKind:
        reason = general or _reason(kind, root, initramfs)
        options.append(PersistenceOption(kind, usable=reason is None, reason=reason))
    return tuple(options)


def usable_kinds(options: Iterable[PersistenceOption]) -> tuple[PersistenceKind, ...]:
    """The kinds that can be used, in the order of preference."""
    return tuple(option.kind for option in options if option.usable)


def _general_reason(root: Root, initramfs: Initramfs | None, family: Family) -> str | None:
    """Why nothing can be kept, whatever the kind."""
    if family is not Family.DMSQUASH:
        return _WRONG_FAMILY[family]
    if root.filesystem is None:
        return "its root image cannot be read"
    if initramfs is None:
        return "no initramfs was found that could be read"
    if initramfs.modules and "dmsquash-live" not in initramfs.modules:
        return "its initramfs has no dmsquash-live module"
    return _too_old(root, initramfs)


def _too_old(root: Root, initramfs: Initramfs) -> str | None:
    """Why this dracut cannot even start the image."""
    release = dracut.release(initramfs.dracut)
    needed, what = (
        (dracut.EROFS_SINCE, "an EROFS image")
        if root.container is Container.EROFS
        else (dracut.FLAT_SINCE if root.is_flat else 0, "a flat image")
    )
    if release is None or release >= needed:
        return None
    return f"dracut {initramfs.dracut} cannot start {what} ({needed:03} can)"


def _reason(kind: PersistenceKind, root: Root, initramfs: Initramfs | None) -> str | None:
    """Why this kind cannot be used."""
    assert initramfs is not None
    match kind:
        case PersistenceKind.SNAPSHOT:
            return _no_block_device(root) if root.is_flat else None
        case PersistenceKind.DIRECTORY | PersistenceKind.IMAGE:
            return _no_overlayfs(initramfs)
        case PersistenceKind.DIRECT:
            return _not_writable(root) or _no_write_through(initramfs)


def _no_block_device(root: Root) -> str:
    return f"the {root.container} image holds the root directly: there is no block device"


def _no_overlayfs(initramfs: Initramfs) -> str | None:
    release = dracut.release(initramfs.dracut)
    if release is None:
        return "its initramfs does not say which dracut made it, so OverlayFS is not certain"
    if release < dracut.OVERLAYFS_SINCE:
        return f"dracut {initramfs.dracut} has no OverlayFS ({dracut.OVERLAYFS_SINCE:03} has)"
    if (
        release >= dracut.OVERLAYFS_MODULE_SINCE
        and initramfs.modules
        and "overlayfs" not in initramfs.modules
    ):
        return "its initramfs has no overlayfs module"
    return None


def _not_writable(root: Root) -> str | None:
    if root.is_flat:
        return (
            f"the {root.container} image holds the root directly: there is no filesystem in it"
            " that could be written to"
        )
    if root.filesystem not in _WRITABLE:
        return f"nothing can be written to a filesystem of the type {root.filesystem}"
    return None


def _no_write_through(initramfs: Initramfs) -> str | None:
    """boot-contract.md 2 (c)."""
    release = dracut.release(initramfs.dracut)
    if release is None:
        return "its initramfs does not say which dracut made it, so writing through is not certain"
    if release < dracut.WRITE_THROUGH_SINCE:
        since = f"{dracut.WRITE_THROUGH_SINCE:03}"
        return f"dracut {initramfs.dracut} cannot write through an uncompressed root ({since} can)"
    return None
