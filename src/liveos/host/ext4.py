# SPDX-License-Identifier: Apache-2.0
"""Files put into an unmounted ext4 by debugfs: allocated, filled in place, then made valid.

debugfs allocates a file's blocks as unwritten extents, which read as zeros. The bytes are written
straight to those blocks, and only when they are on the disk are the extents marked as written. So
a payload is written once, at the speed of the disk, and a power cut in between shows zeros,
never an earlier owner's data.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

from liveos.errors import NoSpaceError, ToolFailedError
from liveos.host.run import run
from liveos.host.tools import Command
from liveos.host.volumes import BLOCK, Ext4Volume

_LONGEST_SCRIPT = 2000  # of what a message shows
# A row of debugfs's ``dump_extents``: level/depth, entry/entries, logical, physical, length.
_ROW = re.compile(
    r"^ *(\d+)/ *(\d+) +\d+/ *\d+ +(\d+) - +(\d+) +(\d+) - +(\d+) +(\d+) *(Uninit)?", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class BlockRun:
    """``length`` blocks of a file from ``logical``, lying at ``physical`` of the filesystem."""

    logical: int
    physical: int
    length: int
    written: bool

    @property
    def offset(self) -> int:
        """Byte offset within the filesystem."""
        return self.physical * BLOCK

    @property
    def size(self) -> int:
        """Bytes."""
        return self.length * BLOCK


def make_directory(volume: Ext4Volume, path: str, selinux: str | None) -> None:
    """A directory of root's with mode 0755, and a label of its own for SELinux if wished."""
    lines = [f"mkdir {path}"]
    if selinux is not None:
        # The kernel stores contexts with their final NUL.
        lines.append(f"ea_set {path} security.selinux {selinux}\\000")
    debugfs(volume.edit(), lines)


def allocate(volume: Ext4Volume, path: str, size: int) -> tuple[BlockRun, ...]:
    """A new file of ``size`` bytes, of root's, with mode 0644; it has its blocks and reads zeros.

    :raises NoSpaceError: the filesystem cannot hold it.
    """
    blocks = -(-size // BLOCK)
    debugfs(volume.edit(), allocation(path, size, blocks))
    runs = block_runs(volume, path)
    if sum(part.length for part in runs) != blocks:
        raise NoSpaceError(f"{path} of {size} bytes does not fit into {volume}")
    return runs


def allocation(path: str, size: int, blocks: int) -> list[str]:
    """Commands that make a file of ``size`` bytes, of root's, with mode 0644 and its blocks."""
    lines = [f"write /dev/null {path}"]
    if blocks:
        lines.append(f"fallocate {path} 0 {blocks - 1}")
    fields = (("size", str(size)), ("mode", "0100644"), ("uid", "0"), ("gid", "0"))
    lines += (f"set_inode_field {path} {field} {value}" for field, value in fields)
    return lines


def mark_written(volume: Ext4Volume, path: str, runs: Iterable[BlockRun]) -> None:
    """What was written to these blocks becomes what the file reads."""
    lines = [f"extent_open {path}"]
    for part in runs:
        lines.append(f"goto_block {part.logical}")
        lines.append(f"replace_node {part.logical} {part.length} {part.physical}")
    debugfs(volume.edit(), [*lines, "extent_close"])


def block_runs(volume: Ext4Volume, path: str) -> tuple[BlockRun, ...]:
    """Where a file's blocks lie, in the file's order."""
    return parse_extents(debugfs(volume.show(), [f"dump_extents {path}"]))


def parse_extents(text: str) -> tuple[BlockRun, ...]:
    """The leaves in what ``dump_extents`` prints."""
    return tuple(
        BlockRun(int(row[3]), int(row[5]), int(row[7]), written=row[8] is None)
        for row in _ROW.finditer(text)
        if row[1] == row[2]
    )


def debugfs(command: Command, lines: Iterable[str]) -> str:
    """What debugfs prints; its exit status does not tell whether a command has failed."""
    script = "".join(f"{line}\n" for line in lines)
    done = run(command, stdin=os.fsencode(script))
    said = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if line]
    complaints = [line for line in said if not line.startswith("debugfs 1.")]
    if complaints:
        raise _failure(complaints[0], command, script)
    return done.text


def _failure(complaint: str, command: Command, script: str) -> NoSpaceError | ToolFailedError:
    if "Could not allocate" in complaint:
        return NoSpaceError(f"the filesystem is full: {complaint}")
    return ToolFailedError(
        f"debugfs could not do it: {complaint}",
        hint=f"the command was: {command}, with the input: {_shortened(script.strip())!r}",
    )


def _shortened(script: str) -> str:
    """A script for thousands of files is no help in a message."""
    return script if len(script) <= _LONGEST_SCRIPT else script[:_LONGEST_SCRIPT] + " …"
