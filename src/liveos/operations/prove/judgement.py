# SPDX-License-Identifier: Apache-2.0
"""Where a running live system keeps its changes, judged from what it says of its storage."""

from dataclasses import dataclass

from liveos.medium.model import PersistenceKind
from liveos.operations.prove.observation import Observation, overlay_path

_IN_MEMORY = frozenset({"tmpfs", "ramfs", "rootfs"})
# dracut makes the temporary snapshot store here, in the initramfs (boot-contract.md 2.8 a).
_TEMPORARY_STORE = "/overlay"
_ORIGINS = ("rootfs.img", "ext3fs.img")
# What asks for OverlayFS, which must not stand beside a snapshot (rules 4 and 5).
_COVERING = ("rd.overlay", "rd.live.overlay.overlayfs")
READ_ONLY_WORDS = ("rd.overlay.readonly", "rd.live.overlay.readonly", "readonly_overlay")
"""Each, in some dracut, sets a temporary layer over a persistent overlay (boot-contract.md 1.2)."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Where changes to the root go.

    ``store`` is the file or directory that takes them, as the guest spells it. ``persistent`` is
    None when the system does not say.
    """

    kind: PersistenceKind | None
    store: str | None
    persistent: bool | None
    status_line: str | None = None


def find_memory(seen: Observation) -> Memory:
    """Where the root's changes go, followed from the mount of ``/`` downwards."""
    root = seen.mount_at("/")
    if root is None:
        return Memory(None, None, None)
    if root.filesystem == "overlay":
        return _overlay_memory(seen, root.options.get("upperdir"))
    mapped = {device.name: device for device in seen.mapped}
    device = mapped.get(root.source.rpartition("/")[2])
    if device is not None and seen.snapshot_status is not None:
        return _snapshot_memory(seen, device.below)
    if device is not None and device.name == "live-rw":
        return _linear_memory(seen, device.below)
    return Memory(None, None, None if root.source.startswith("/dev/") else False)


def why_not_persistent(seen: Observation) -> str:
    """The reason for changes going to memory, as far as the boot line and the stick tell it."""
    if _is_covered(seen):
        word = next((word for word in _COVERING if seen.has_word(word)), "a word")
        return f"an OverlayFS in memory lies over the snapshot: {word} on the boot line asks for it"
    if any(seen.has_word(word) for word in READ_ONLY_WORDS):
        return "the boot line says that the overlay is only read"
    value = seen.word("rd.live.overlay") or seen.word("rd.overlay")
    if value is None:
        return "the boot line names no overlay (no rd.live.overlay= word)"
    if value.casefold() == "none":
        return "the boot line says rd.live.overlay=none"
    return _why_not_taken(seen, value)


def _why_not_taken(seen: Observation, value: str) -> str:
    path = overlay_path(seen.cmdline)
    if path is None:
        return f"the initramfs found no overlay of the default name for “{value}”"
    if seen.asked_overlay == "nothing":
        return f"the boot line names {path}, and there is nothing of that name on the stick"
    if seen.asked_overlay == "directory":
        return f"{path} is there, but the initramfs did not take it (is ovlwork beside it?)"
    return f"{path} is there, but the initramfs did not take it for an overlay"


def side_effects(seen: Observation) -> list[str]:
    """What a wrong boot line did beside the overlay (boot-contract.md 1.4: dracut 110 and 111)."""
    if seen.stray is None:
        return []
    left = f"the initramfs has left a link /overlay to {seen.stray} in the root"
    return [f"{left}: the boot line names the overlay's device without a path"]


def _is_covered(seen: Observation) -> bool:
    """Rules 4 and 5: dmsquash-live made its snapshot, and OverlayFS was mounted over it."""
    root = seen.mount_at("/")
    covered = root is not None and root.filesystem == "overlay"
    return covered and any(device.name == "live-rw" for device in seen.mapped)


def _overlay_memory(seen: Observation, upper: str | None) -> Memory:
    """OverlayFS: the upper directory's own filesystem decides."""
    if upper in {None, "/run/overlayfs"} and seen.upper:
        upper = seen.upper
    mount = seen.mount_of(upper) if upper else None
    if upper is None or mount is None:
        return Memory(PersistenceKind.DIRECTORY, upper, None)
    kept = mount.filesystem not in _IN_MEMORY
    image = seen.loops.get(mount.source.rpartition("/")[2])
    if kept and image is not None:
        return Memory(PersistenceKind.IMAGE, image, persistent=True)
    return Memory(PersistenceKind.DIRECTORY, upper, persistent=kept)


def _snapshot_memory(seen: Observation, below: tuple[str, ...]) -> Memory:
    """A snapshot: one of the loops below it holds the origin, the other one the store."""
    files = [seen.loops[name] for name in below if name in seen.loops]
    stores = [file for file in files if not file.endswith(_ORIGINS)]
    if not stores:
        return Memory(PersistenceKind.SNAPSHOT, None, None, seen.snapshot_status)
    store = stores[0]
    temporary = store.endswith(" (deleted)") or store == _TEMPORARY_STORE
    return Memory(PersistenceKind.SNAPSHOT, store, not temporary, seen.snapshot_status)


def _linear_memory(seen: Observation, below: tuple[str, ...]) -> Memory:
    """``rd.live.overlay=none``: changes go straight into the root image.

    With ``rd.live.ram`` or ``rd.writable.fsimg`` that is a copy in memory.
    """
    store = next((seen.loops[name] for name in below if name in seen.loops), None)
    if store is None:
        return Memory(PersistenceKind.DIRECT, None, None)
    mount = seen.mount_of(store)
    in_memory = mount is not None and mount.filesystem in _IN_MEMORY
    kept = not in_memory and not store.endswith(" (deleted)")
    return Memory(PersistenceKind.DIRECT, store, kept)
