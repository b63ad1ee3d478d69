# SPDX-License-Identifier: Apache-2.0
"""What is mounted, as proc(5) tells it in ``mountinfo``."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of mountinfo (proc(5)): device number, mount point, type, source, options.

    ``options`` are the filesystem's; it is ``read_only`` here, too, where only this mount is.
    ``root`` is the directory of the filesystem that is seen at the mount point.
    """

    device: str
    point: str
    filesystem: str
    source: str
    options: tuple[str, ...]
    read_only: bool = False
    root: str = "/"

    def option(self, name: str) -> str | None:
        """The value of ``name=value`` among the filesystem's options."""
        values = [each for each in self.options if each.startswith(f"{name}=")]
        return values[0].partition("=")[2] if values else None


def parse_mounts(text: str) -> tuple[Mount, ...]:
    """The mounts in the text of ``/proc/self/mountinfo``, in its order."""
    mounts = []
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        place, kind = before.split(" "), after.split(" ")
        if len(place) >= 6 and len(kind) >= 3:
            options = tuple(map(unescaped, kind[2].split(",")))
            read_only = "ro" in {*options, *place[5].split(",")}
            point, source = unescaped(place[4]), unescaped(kind[1])
            root = unescaped(place[3])
            mounts.append(Mount(place[2], point, kind[0], source, options, read_only, root))
    return tuple(mounts)


def mount_of(path: str, mounts: tuple[Mount, ...]) -> Mount | None:
    """The mount that a path lies on; where several have one point, the last covers the others."""
    around = [mount for mount in mounts if is_below(path, mount.point)]
    # max() takes the first of equals, and the list is in the order of mounting.
    return max(reversed(around), key=lambda mount: len(mount.point), default=None)


def is_below(path: str, point: str) -> bool:
    return path == point or path.startswith(point.rstrip("/") + "/")


def unescaped(word: str) -> str:
    r"""Blanks, tabs, line ends and backslashes are written as ``\NNN`` there (proc(5))."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), word)
