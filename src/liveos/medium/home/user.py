# SPDX-License-Identifier: Apache-2.0
"""Whose directory a new home must have, because nobody would make it at boot."""

import re
from dataclasses import dataclass

from liveos.formats.binary import FormatError
from liveos.formats.tree import FileKind, FileTree

_USERS = "/etc/passwd"
_MOST_BYTES = 1 << 20
# Of ordinary users, as login.defs(5) has them everywhere; nobody is 65534.
_FIRST, _LAST = 1000, 59_999
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
_ID = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class HomeUser:
    """An ordinary user whose directory is ``/home/<name>``."""

    name: str
    uid: int
    gid: int

    def __str__(self) -> str:
        return f"/{self.name} of {self.uid}:{self.gid}"


LIVE_USER = HomeUser("liveuser", 1000, 1000)
"""Whom livesys makes: the first ordinary user."""


def read_user(tree: FileTree) -> HomeUser | None:
    """The first ordinary user that a root knows (passwd(5)), by the number."""
    try:
        node = tree.resolve(_USERS)
        if node is None or node.kind is not FileKind.FILE or node.size > _MOST_BYTES:
            return None
        text = tree.open(node).read_at(0, node.size).decode("utf-8", "replace")
    except FormatError:
        return None
    users = filter(None, map(_user, text.split("\n")))
    return min(users, key=lambda user: user.uid, default=None)


def _user(line: str) -> HomeUser | None:
    fields = line.split(":")
    if len(fields) != 7:
        return None
    name, _, uid, gid, _, home, _ = fields
    if not (_NAME.fullmatch(name) and _ID.fullmatch(uid) and _ID.fullmatch(gid)):
        return None
    if not _FIRST <= int(uid) <= _LAST or home.rstrip("/") != f"/home/{name}":
        return None
    return HomeUser(name, int(uid), int(gid))
