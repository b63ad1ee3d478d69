# SPDX-License-Identifier: Apache-2.0
"""The memory beside an installed image: overlay, home and swap, by what their bytes are."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from liveos.formats.binary import ByteSource, FormatError
from liveos.formats.exception_store.header import read_header
from liveos.formats.identify import Kind, identify
from liveos.formats.tree import FileKind, Node
from liveos.medium.model import Container, Entry, Overlay, PersistenceKind, Root, Store
from liveos.medium.stores import HOME_NAME, SWAP_NAME, store_in
from liveos.medium.volume import Volume, open_volume
from liveos.report import Finding, Severity

_NONE = frozenset({"none", "None", "NONE"})


@dataclass(frozen=True, slots=True)
class Memory:
    """What keeps changes beside an image."""

    overlay: Overlay | None = None
    home: Store | None = None
    swap: Store | None = None


def find_memory(volume: Volume, directory: str, findings: list[Finding]) -> Memory:
    """The memory in an image's directory; what is out of order is added to ``findings``."""
    if volume.filesystem in {"iso9660", "squashfs", "erofs"}:
        return Memory()
    overlays = [name for name in volume.list_names(f"/{directory}") if name.startswith("overlay-")]
    # The initramfs takes the one that is called after the filesystem's label and UUID.
    proper = f"overlay-{volume.label or ''}-{volume.uuid or ''}"
    overlays.sort(key=lambda name: name != proper)
    findings += [_stale(volume, directory, name) for name in overlays[1:]]
    return Memory(
        overlay=_overlay(volume, directory, overlays[0], findings) if overlays else None,
        home=store_in(volume, f"/{directory}/{HOME_NAME}"),
        swap=store_in(volume, f"/{directory}/{SWAP_NAME}"),
    )


def written_through(root: Root, entries: Iterable[Entry]) -> Overlay | None:
    """An uncompressed root that an entry starts without anything over it (boot-contract.md 2 (c)).

    Only the old name of the word does that: from 110 on ``rd.overlay=none`` is a tmpfs.
    """
    if root.container is not Container.NONE or root.file is None:
        return None
    if not any(entry.option("rd.live.overlay") in _NONE for entry in entries):
        return None
    return Overlay(PersistenceKind.DIRECT, root.file.path, root.file.size)


def _overlay(volume: Volume, directory: str, name: str, findings: list[Finding]) -> Overlay | None:
    """boot-contract.md 1.3, step 6: what an overlay is, is told by what is found."""
    path = f"/{directory}/{name}"
    node = volume.tree.lookup(path)
    if node is None or node.kind not in {FileKind.FILE, FileKind.DIRECTORY}:
        return None
    if node.kind is FileKind.DIRECTORY:
        if "ovlwork" not in volume.list_names(f"/{directory}"):
            findings.append(
                Finding(
                    "overlay-without-workdir",
                    Severity.WARNING,
                    f"{path}: there is no ovlwork beside it, so the initramfs will not use it",
                )
            )
        return Overlay(PersistenceKind.DIRECTORY, path, None)
    try:
        return _overlay_file(volume, node, findings)
    except FormatError as error:
        findings.append(Finding("unreadable-overlay", Severity.WARNING, f"{path}: {error}"))
        return Overlay(PersistenceKind.SNAPSHOT, path, node.size, "damaged")


def _overlay_file(volume: Volume, node: Node, findings: list[Finding]) -> Overlay:
    source = volume.tree.open(node)
    identity = identify(source)
    if identity is not None and identity.kind is not Kind.SNAPSHOT_STORE:
        findings += _image_findings(source, node.path)
        return Overlay(PersistenceKind.IMAGE, node.path, node.size)
    overlay = Overlay(PersistenceKind.SNAPSHOT, node.path, node.size)
    header = read_header(source)
    if header.is_blank:
        return replace(overlay, state="blank")
    header.geometry()
    return replace(overlay, state="valid" if header.valid else "invalid")


def _image_findings(source: ByteSource, path: str) -> Iterator[Finding]:
    """An image without both directories counts as not found (boot-contract.md 1.3, step 6)."""
    try:
        names = open_volume(source, Path(path), None).list_names("/")
    except FormatError:  # of a filesystem that is not read here, such as XFS
        return
    missing = [name for name in ("overlayfs", "ovlwork") if name not in names]
    if missing:
        yield Finding(
            "overlay-without-directories",
            Severity.WARNING,
            f"{path}: there is no {' and no '.join(missing)} in it, so the initramfs will not use"
            " it",
        )


def _stale(volume: Volume, directory: str, name: str) -> Finding:
    return Finding(
        "other-overlay",
        Severity.INFO,
        f"/{directory}/{name} is not used: it is not called after {volume.label}-{volume.uuid}",
    )
