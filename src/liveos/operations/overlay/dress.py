# SPDX-License-Identifier: Apache-2.0
"""Gives a file that was just made the attributes that it has in an image, as far as one may."""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field

from liveos.formats.tree import Attributes

_SET_IDS = stat.S_ISUID | stat.S_ISGID


@dataclass(frozen=True, slots=True)
class Unset:
    """Something of a file that could not be set: what, its value as text, and why."""

    path: str
    what: str
    value: str
    reason: str


@dataclass(frozen=True)
class Dresser:
    """Sets the attributes of ``name`` in the directory with the descriptor ``parent``.

    ``path`` is its path in the image. What cannot be set is added to ``unset``.
    """

    parent: int
    name: str
    path: str
    attributes: Attributes
    unset: list[Unset] = field(default_factory=list)

    def dress(self) -> list[Unset]:
        """Owner first: a change of owner takes the rights away that the mode gives."""
        owned = self._set_owner()
        if not stat.S_ISLNK(self.attributes.mode):
            self._set_mode(owned=owned)
        for name, value in self.attributes.xattrs.items():
            self._try(f"xattr {name}", value.hex(), self._xattr_setter(name, value))
        times = (self.attributes.mtime_ns, self.attributes.mtime_ns)
        self._try("mtime_ns", str(times[0]), lambda: self._set_times(times))
        return self.unset

    def _set_owner(self) -> bool:
        uid, gid = self.attributes.uid, self.attributes.gid
        found = os.stat(self.name, dir_fd=self.parent, follow_symlinks=False)
        if (found.st_uid, found.st_gid) == (uid, gid):
            return True

        def change() -> None:
            os.chown(self.name, uid, gid, dir_fd=self.parent, follow_symlinks=False)

        return self._try("owner", f"{uid}:{gid}", change)

    def _set_mode(self, *, owned: bool) -> None:
        """The mode; a file that is somebody else's here does not act for its owner."""
        mode = stat.S_IMODE(self.attributes.mode)
        if not owned and mode & _SET_IDS:
            reason = "it has another owner here"
            self.unset.append(Unset(self.path, "mode", f"{mode:04o}", reason))
            mode &= ~_SET_IDS
        self._try("mode", f"{mode:04o}", lambda: os.chmod(self.name, mode, dir_fd=self.parent))

    def _set_times(self, times: tuple[int, int]) -> None:
        os.utime(self.name, ns=times, dir_fd=self.parent, follow_symlinks=False)

    def _xattr_setter(self, name: str, value: bytes) -> Callable[[], None]:
        # There is no call that takes a directory's descriptor and a name.
        place = f"/proc/self/fd/{self.parent}/{self.name}"
        return lambda: os.setxattr(place, name, value, follow_symlinks=False)

    def _try(self, what: str, value: str, change: Callable[[], None]) -> bool:
        try:
            change()
        except (OSError, OverflowError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            self.unset.append(Unset(self.path, what, value, reason))
            return False
        return True
