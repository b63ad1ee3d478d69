# SPDX-License-Identifier: Apache-2.0
"""Kernels and initramfs archives that boot entries name."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from liveos.formats.binary import ByteSource, Extent, FormatError
from liveos.formats.programs.linux import read_kernel
from liveos.medium.initramfs import MOST_READ, InitramfsContents, read_initramfs
from liveos.medium.model import Entry, FileRef, Firmware, Initramfs, Kernel
from liveos.medium.scene import Scene
from liveos.report import Finding, Severity


@dataclass(frozen=True, slots=True)
class _Found:
    """A file that a menu names, and its bytes."""

    file: FileRef
    source: ByteSource

    @property
    def place(self) -> tuple[Path, str | tuple[Extent, ...]]:
        """Where the bytes lie: files of an ISO may share them (images.md 1.2)."""
        return self.file.container, self.file.extents or self.file.path


class BootFiles:
    """The boot files of a medium. ``findings`` tell which are missing or unreadable."""

    def __init__(self, scene: Scene) -> None:
        self.findings: list[Finding] = []
        self._scene = scene
        self._missing: set[str] = set()

    def kernels(self, entries: Iterable[Entry]) -> tuple[Kernel, ...]:
        """The Linux kernels that entries start. What has no words at all is another program."""
        paths = [(e.kernel, e.firmware) for e in entries if e.kernel and (e.initrd or e.options)]
        return tuple(self._kernel(found) for found in self._find(paths))

    def initramfs(self, entries: Iterable[Entry]) -> tuple[Initramfs, ...]:
        """The initramfs archives that entries load."""
        found = self._find([(path, entry.firmware) for entry in entries for path in entry.initrd])
        places = {each.place: each for each in found}
        # All of them together are read no further than one may be.
        most = MOST_READ // max(1, len(places))
        contents = {place: self._contents(each, most) for place, each in places.items()}
        return tuple(_initramfs(each.file, contents[each.place]) for each in found)

    def _find(self, paths: Iterable[tuple[str, Firmware]]) -> list[_Found]:
        """The files at the paths, each once."""
        files: dict[str, _Found] = {}
        for path, firmware in dict.fromkeys(paths):
            found = self._scene.find_file(path, firmware)
            if found is None:
                self._tell_missing(path)
                continue
            volume, node = found
            files.setdefault(node.path, _Found(volume.ref(node), volume.tree.open(node)))
        return list(files.values())

    def _kernel(self, found: _Found) -> Kernel:
        try:
            kernel = read_kernel(found.source)
        except FormatError as error:
            self._tell("unreadable-kernel", f"{found.file.path}: {error}")
            return Kernel(found.file, None)
        return Kernel(found.file, kernel.version, kernel.signers, kernel.issuers)

    def _contents(self, found: _Found, most: int) -> InitramfsContents | None:
        path = found.file.path
        try:
            contents = read_initramfs(found.source, most)
        except FormatError as error:
            self._tell("unreadable-initramfs", f"{path}: {error}")
            return None
        if not contents.is_complete:
            message = f"{path} is large and was not read to its end: it may hold more than is shown"
            self._tell("initramfs-not-read-to-its-end", message)
        return contents

    def _tell_missing(self, path: str) -> None:
        if path not in self._missing:
            self._missing.add(path)
            self._tell("missing-boot-file", f"the boot menu names {path}, which is not there")

    def _tell(self, code: str, message: str) -> None:
        self.findings.append(Finding(code, Severity.WARNING, message))


def _initramfs(file: FileRef, contents: InitramfsContents | None) -> Initramfs:
    if contents is None:
        return Initramfs(file, None, (), None)
    return Initramfs(file, contents.dracut, contents.modules, contents.kernel, contents.systemd)
