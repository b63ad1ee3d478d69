# SPDX-License-Identifier: Apache-2.0
"""What an overlay of any kind changes, and what fills it: the facts of ``overlay diff``."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from liveos.errors import LiveosError, UnsupportedError, UsageError
from liveos.formats.binary import ByteSource, FormatError
from liveos.formats.exception_store import (
    LIVEOS_CHUNK_SECTORS,
    BlankStoreError,
    ExceptionStore,
    Geometry,
    Header,
    Tail,
    read_store,
)
from liveos.formats.ext4.reader import Ext4
from liveos.formats.ext4.replay import recover
from liveos.formats.tree import FileKind, FileTree, Node
from liveos.medium.directory_tree import DirectoryTree
from liveos.medium.model import PersistenceKind
from liveos.medium.overlay.changes.content import Bits
from liveos.medium.overlay.changes.directories import (
    compare_layers,
    compare_overlays,
    upper_usage,
)
from liveos.medium.overlay.changes.inodes import blocks_of_chunks
from liveos.medium.overlay.changes.layers import OverlayTree
from liveos.medium.overlay.changes.model import Changes, Usage
from liveos.medium.overlay.changes.states import Survey, compare_states
from liveos.medium.overlay.changes.usage import store_usage
from liveos.medium.overlay.locate import OpenOverlay
from liveos.medium.overlay.pairing import pairing_fault, use_fault
from liveos.medium.overlay.upper import UPPER_IN_IMAGE
from liveos.medium.overlay.view import OverlayView
from liveos.medium.volume import open_volume
from liveos.report import Finding, Severity

_NO_CHUNKS = np.empty(0, np.uint32)


@dataclass(frozen=True)
class Report:
    """``tree`` is the root with its changes, where what was added and modified can be read."""

    changes: Changes
    usage: tuple[Usage, ...]
    tree: FileTree
    findings: tuple[Finding, ...] = field(default=())


def report(overlay: OpenOverlay, against: OpenOverlay | None = None) -> Report:
    """How the root with an overlay differs from the root, or from that with another overlay.

    :raises UsageError: the root is not known, or the two overlays are not over one root.
    :raises UnsupportedError: something is damaged, or of a kind whose files cannot be read.
    """
    try:
        if overlay.kind is PersistenceKind.SNAPSHOT:
            return _of_snapshot(_state(overlay), None if against is None else _state(against))
        return _of_layers(overlay, against)
    except FormatError as error:
        raise UnsupportedError(
            f"{overlay.place}: {error}", hint="liveos overlay check says what is wrong"
        ) from error


@dataclass(frozen=True)
class _State:
    """A snapshot overlay with its root; ``filesystem`` is what the system would find there."""

    overlay: OpenOverlay
    store: ExceptionStore
    view: OverlayView
    filesystem: Ext4


def _state(overlay: OpenOverlay) -> _State:
    source, origin = overlay.need_store(), overlay.need_origin_bytes()
    store = _store(source)
    fault = pairing_fault(store, source, origin)
    if fault is not None:
        raise UnsupportedError(f"{overlay.place}: {fault.message}", hint=fault.repair)
    view = OverlayView(store, source, origin)
    if view.filesystem is None:
        raise UnsupportedError(
            f"{overlay.place}: its files cannot be compared: {view.problem}",
            hint="only roots of ext2, ext3 and ext4 can be read",
        )
    return _State(overlay, store, view, view.filesystem)


def _store(source: ByteSource) -> ExceptionStore:
    """The store; a blank one is what the kernel makes of it: empty."""
    try:
        return read_store(source)
    except BlankStoreError:
        header = Header.new(Geometry(LIVEOS_CHUNK_SECTORS))
        return ExceptionStore(header, source.size, _NO_CHUNKS, _NO_CHUNKS, Tail(), terminated=True)


def pair_of_states(overlay: OpenOverlay) -> tuple[Ext4, Ext4, Bits]:
    """The root of a snapshot overlay as it is without it and with it, and blocks that can differ.

    :raises UnsupportedError: the root is none that can be read, or another one's.
    """
    state = _state(overlay)
    before, changed = _without_changes(state)
    return before, state.filesystem, changed


def _without_changes(state: _State) -> tuple[Ext4, Bits]:
    changed = _changed_blocks(state)
    recovered = recover(state.view.origin)
    changed[recovered.changed_blocks] = True
    return Ext4(recovered), changed


def _of_snapshot(state: _State, against: _State | None) -> Report:
    if against is not None:
        _require_one_root(state, against)
        changed = _changed_blocks(state)
        before = against.filesystem
        changed |= _changed_blocks(against)
    else:
        before, changed = _without_changes(state)
    survey = Survey.of(state.filesystem)
    return Report(
        compare_states(before, survey, changed),
        _usage(state, survey),
        state.filesystem,
        _findings(state),
    )


def _usage(state: _State, survey: Survey) -> tuple[Usage, ...]:
    chunk_size, block_size = state.view.chunk_size, state.filesystem.superblock.block_size
    return store_usage(survey.names, survey.owners, state.store.old, chunk_size, block_size)


def _changed_blocks(state: _State) -> Bits:
    superblock = state.filesystem.superblock
    return blocks_of_chunks(
        state.view.old, state.view.chunk_size, superblock.block_size, superblock.blocks
    )


def _require_one_root(one: _State, other: _State) -> None:
    first, second = one.filesystem.superblock, other.filesystem.superblock
    same_size = one.view.origin.size == other.view.origin.size
    if not same_size or (first.mkfs_time, first.hash_seed) != (second.mkfs_time, second.hash_seed):
        raise _not_one_root(one.overlay, other.overlay)


def _not_one_root(one: OpenOverlay, other: OpenOverlay) -> LiveosError:
    return UsageError(
        f"{one.place} and {other.place} are not overlays over one root",
        hint="only overlays that the same image was booted with can be compared",
    )


def _findings(state: _State) -> tuple[Finding, ...]:
    found = []
    if not state.store.is_valid:
        message = "the store is marked invalid: the kernel does not use it any more"
        found.append(Finding("H6", Severity.WARNING, message, "liveos overlay repair"))
    use = use_fault(state.overlay.place)
    if use is not None:
        found.append(use)
    if state.view.recovered is not None and state.view.recovered.replayed:
        message = "its filesystem was not unmounted: the report is of its state after the replay"
        found.append(Finding("replayed", Severity.INFO, message))
    return tuple(found)


def _of_layers(overlay: OpenOverlay, against: OpenOverlay | None) -> Report:
    tree = layers_of(overlay)
    changes = compare_layers(tree) if against is None else _between(overlay, tree, against)
    return Report(changes, upper_usage(tree), tree, _layer_findings(tree))


def _between(overlay: OpenOverlay, tree: OverlayTree, against: OpenOverlay) -> Changes:
    if against.kind is PersistenceKind.SNAPSHOT:
        raise _not_one_root(overlay, against)
    return compare_overlays(layers_of(against), tree)


def layers_of(overlay: OpenOverlay) -> OverlayTree:
    """The root with the upper directory of an overlay over it; :raises FormatError: damage."""
    origin = overlay.need_origin()
    if origin.tree is None:
        raise UnsupportedError(
            f"{origin.name}: a root of this kind cannot be read",
            hint="squashfs, EROFS, ext2, ext3 and ext4 can be",
        )
    return OverlayTree(origin.tree, *_upper(overlay))


def _upper(overlay: OpenOverlay) -> tuple[FileTree, Node]:
    """The upper directory, in its filesystem as it is after a replay of the journal."""
    if overlay.upper is not None:
        volume, node = overlay.upper
        tree, path = volume.tree, node.path
    else:
        assert overlay.source is not None
        tree = open_volume(overlay.source, Path(overlay.place.name), None).tree
        path = UPPER_IN_IMAGE
    if isinstance(tree, Ext4):
        tree = Ext4(recover(tree.source))
    found = tree.lookup(path)
    if found is None or found.kind is not FileKind.DIRECTORY:
        raise FormatError(f"there is no upper directory {path}")
    return tree, found


def _layer_findings(tree: OverlayTree) -> tuple[Finding, ...]:
    """Marks of the kernel in a mounted filesystem are for root's eyes only (xattr(7))."""
    if not isinstance(tree.upper_tree, DirectoryTree) or os.geteuid() == 0:
        return ()
    message = "without root, marks in a mounted overlay cannot be read: renamed and replaced "
    message += "directories may be told wrongly"
    hint = "run it as root, or on the unmounted device or image file"
    return (Finding("marks", Severity.WARNING, message, hint),)
