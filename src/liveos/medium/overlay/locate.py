# SPDX-License-Identifier: Apache-2.0
"""Finding an overlay from the words of a person: a bare store, or a stick and an image's name."""

import shlex
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from liveos.errors import UnsupportedError, UsageError
from liveos.formats.binary import ByteSource, FileSource, FormatError
from liveos.formats.exception_store.spans import SpannedSource
from liveos.formats.identify import Kind, identify
from liveos.formats.tree import FileKind, Node
from liveos.host.folders.ext4_folder import Ext4Folder
from liveos.host.folders.fat_folder import FatFolder
from liveos.host.folders.folder import FolderFile, HostFolder
from liveos.host.volumes import Ext4Volume, FatVolume
from liveos.medium.memory import find_memory, written_through
from liveos.medium.memory_warnings import is_read_only
from liveos.medium.model import Overlay, PersistenceKind
from liveos.medium.open_scene import scene_of_directory, scene_of_file
from liveos.medium.overlay.origin import Origin, open_origin, origin_in
from liveos.medium.overlay.recording import is_recording, read_recording
from liveos.medium.payloads import Payload, entries_of, find_payloads
from liveos.medium.root import read_root
from liveos.medium.scene import Scene
from liveos.medium.volume import Volume
from liveos.report import Finding

_EXT = frozenset({"ext2", "ext3", "ext4"})


@dataclass(frozen=True, slots=True)
class OpenOverlay:
    """An overlay, open for reading.

    ``place`` is its file, or its directory's entry, where it can be changed. ``source`` are the
    bytes of a snapshot store or of an image file; ``upper`` is the filesystem and the node of a
    directory overlay. ``origin`` is the root under it; None when it was not asked for, or is not
    known. ``read_only`` means that the first boot entry that uses it does not write to it.
    """

    place: FolderFile
    kind: PersistenceKind
    source: ByteSource | None
    upper: tuple[Volume, Node] | None
    origin: Origin | None
    findings: tuple[Finding, ...] = ()
    read_only: bool = False

    def need_store(self) -> ByteSource:
        """The bytes of the store; :raises UnsupportedError: this overlay is no snapshot store."""
        if self.kind is not PersistenceKind.SNAPSHOT or self.source is None:
            raise UnsupportedError(
                f"{self.place} is an overlay of the kind {self.kind}, not a snapshot store",
                hint="liveos overlay status and diff work with every kind",
            )
        return self.source

    def need_origin(self) -> Origin:
        """The root under the overlay; :raises UsageError: nobody said which it is."""
        if self.origin is None:
            raise UsageError(
                f"the root under {self.place} is not known",
                hint="name it with --origin: rootfs.img, squashfs.img or the ISO",
            )
        return self.origin

    def need_origin_bytes(self) -> ByteSource:
        """The bytes under a snapshot store; :raises UnsupportedError: the root is a flat one."""
        origin = self.need_origin()
        if origin.source is None:
            raise UnsupportedError(
                f"{origin.name} is a flat root: no snapshot store can belong to it",
                hint="name the image that the overlay was made for",
            )
        return origin.source


@contextmanager
def open_overlay(
    spec: str, origin: Path | None = None, *, recorded: bool = False, direct: bool = False
) -> Iterator[OpenOverlay]:
    """The overlay that ``spec`` names, with the root under it.

    ``spec`` is a bare store; or a stick (an image file, a device, a directory where one is
    mounted), with ``:NAME`` behind it for one image of several. ``origin`` is the file with the
    root; a stick has its own. ``recorded`` allows a dump or a pack instead of a store: its data
    read as zeros, so that no root can be under it. ``direct`` allows a root that is written to
    itself, without an overlay.

    :raises UsageError: there is no such thing, or it is not clear which is meant.
    :raises UnsupportedError: it holds no overlay.
    """
    path, name = parse_spec(spec)
    with ExitStack() as stack:
        try:
            found = _open(path, name, stack, direct=direct)
            if isinstance(found.source, SpannedSource):
                _require_use_of_recording(path, recorded=recorded, origin=origin)
            elif origin is not None:
                found = replace(found, origin=stack.enter_context(open_origin(origin)))
        except FormatError as error:
            raise UnsupportedError(f"{spec}: {error}", hint="liveos inspect shows more") from error
        except FileNotFoundError as error:
            raise UsageError(f"{error.filename}: there is no such file") from error
        yield found


def parse_spec(spec: str) -> tuple[Path, str | None]:
    """A path, and the name of an image behind the last colon if the whole is no path."""
    if Path(spec).exists() or ":" not in spec:
        return Path(spec), None
    path, _, name = spec.rpartition(":")
    return Path(path), name


def _open(path: Path, name: str | None, stack: ExitStack, *, direct: bool) -> OpenOverlay:
    if not path.exists():
        hint = "give a store, a stick, or stick.img:NAME"
        raise UsageError(f"{path}: there is no such file", hint=hint)
    if path.is_dir():
        return _on_medium(scene_of_directory(path), name, direct=direct)
    source = stack.enter_context(FileSource(path))
    if name is None and _is_bare(source):
        place = FolderFile(HostFolder(path.parent), path.name)
        store = read_recording(source) if is_recording(source) else source
        return OpenOverlay(place, PersistenceKind.SNAPSHOT, store, None, None)
    return _on_medium(scene_of_file(path, source), name, direct=direct)


def _require_use_of_recording(path: Path, *, recorded: bool, origin: Path | None) -> None:
    if not recorded:
        raise UnsupportedError(
            f"{path} is a record of a store's metadata, not the store",
            hint=f"liveos overlay restore {path} makes a store of it",
        )
    if origin is not None:
        raise UsageError(f"{path} has no contents that could be compared with {origin}")


def _is_bare(source: ByteSource) -> bool:
    """A store by its magic; or nothing that is known, which a blank or damaged store is too."""
    try:
        identity = identify(source)
    except FormatError:
        return True
    return identity is None or identity.kind is Kind.SNAPSHOT_STORE


def _on_medium(scene: Scene, name: str | None, *, direct: bool) -> OpenOverlay:
    payload = choose_payload(scene, name)
    findings: list[Finding] = []
    entries = entries_of(scene, payload)
    overlay = find_memory(payload.volume, payload.directory, findings).overlay
    if overlay is not None:
        found = _opened(payload, overlay, tuple(findings))
        return replace(found, read_only=is_read_only(entries))
    through = written_through(read_root(payload.volume, payload.node), entries)
    if through is None:
        words = shlex.quote(f"{scene.path}:{payload.directory}")
        raise UnsupportedError(
            f"{scene.path}: the image {payload.directory} has no persistent overlay",
            hint=f"liveos overlay create {words} gives it one",
        )
    if not direct:
        raise UnsupportedError(
            f"{scene.path}: the image {payload.directory} has no overlay, it writes its changes"
            f" into {through.path} itself",
            hint="liveos overlay status shows how full that is",
        )
    source = payload.volume.tree.open(payload.node)
    return OpenOverlay(place_in(payload.volume, through.path), through.kind, source, None, None)


def choose_payload(scene: Scene, name: str | None) -> Payload:
    """The image of this name, or the only one.

    :raises UsageError: there is none, or several.
    :raises UnsupportedError: it lies on a filesystem that is not read.
    """
    payloads = find_payloads(scene)
    named = [each for each in payloads if name is None or _same(each.directory, name)]
    if len(named) == 1:
        return named[0]
    unread = scene.unread_filesystems
    if not payloads and unread:
        raise UnsupportedError(
            f"{scene.path}: its image lies on {' and '.join(unread)}, which is not read here",
            hint="mount it and name the mount point, or do this in the running system",
        )
    known = ", ".join(each.directory or "/" for each in payloads) or "none"
    what = f"no image {name}" if name is not None and not named else f"{len(named)} images"
    raise UsageError(
        f"{scene.path} has {what}; there are: {known}", hint=f"name one: {scene.path}:NAME"
    )


def _same(directory: str, name: str) -> bool:
    return directory.casefold() == name.strip("/").casefold()


def _opened(payload: Payload, overlay: Overlay, findings: tuple[Finding, ...]) -> OpenOverlay:
    volume = payload.volume
    node = volume.tree.lookup(overlay.path)
    if node is None:
        raise FormatError(f"{overlay.path} cannot be found again")
    is_directory = node.kind is FileKind.DIRECTORY
    return OpenOverlay(
        place=place_in(volume, overlay.path),
        kind=overlay.kind,
        source=None if is_directory else volume.tree.open(node),
        upper=(volume, node) if is_directory else None,
        origin=origin_in(volume, payload.node, place_in(volume, payload.node.path)),
        findings=findings,
    )


def place_in(volume: Volume, path: str) -> FolderFile:
    """Where a file of a stick can be changed; it need not exist."""
    directory, _, name = path.rpartition("/")
    if volume.filesystem == "directory":
        return FolderFile(HostFolder(volume.container / directory.strip("/")), name)
    assert volume.offset is not None
    assert volume.size is not None
    if volume.filesystem in _EXT:
        within = Ext4Volume(volume.container, volume.offset, volume.size)
        return FolderFile(Ext4Folder(within, directory), name)
    return FolderFile(
        FatFolder(FatVolume(volume.container, volume.offset, volume.size), directory), name
    )
