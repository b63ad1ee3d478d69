# SPDX-License-Identifier: Apache-2.0
"""Whose directory a new home must have."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveos.formats.tree import FileTree
from liveos.medium.directory_tree import DirectoryTree
from liveos.medium.home.mounting import LiveSystem
from liveos.medium.home.user import LIVE_USER, HomeUser, read_user
from tests.unit.operations.overlay.test_extract import Made, file, folder

ROOT = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
LIVE = "user:x:1000:1001:Debian Live user,,,:/home/user:/bin/bash\n"
ANN = HomeUser("ann", 1500, 100)


@pytest.mark.parametrize(
    ("passwd", "expected"),
    [
        (ROOT, None),
        (ROOT + LIVE, HomeUser("user", 1000, 1001)),
        ("ann:x:1500:100::/home/ann/:\n" + LIVE, HomeUser("user", 1000, 1001)),
        ("ann:x:1500:100::/home/ann:", ANN),
        # Not below /home, not ordinary, or not a line of this file.
        ("git:x:1000:1000::/srv/git:/bin/sh\nx:x:999:1::/home/x:\nuser:x:1000\n\n", None),
        ("../e:x:1000:1::/home/../e:\nv:x:\uff11000:1::/home/v:\n", None),
    ],
)
def test_the_first_ordinary_user(passwd: str, expected: HomeUser | None) -> None:
    assert read_user(tree(passwd.encode())) == expected


@given(st.binary(max_size=300))
def test_whatever_is_in_the_file(content: bytes) -> None:
    user = read_user(tree(content))
    assert user is None or "/" not in user.name


def test_no_file(tmp_path: Path) -> None:
    assert read_user(DirectoryTree(tmp_path)) is None


def tree(passwd: bytes) -> FileTree:
    return Made(folder("etc", file("passwd", passwd)))


@pytest.mark.parametrize("used", [False, True])
def test_who_makes_the_directory(*, used: bool) -> None:
    livesys = LiveSystem("/usr/libexec/livesys/livesys-main")
    assert livesys.user_without_home(overlay_used=used) == (LIVE_USER if used else None)
    assert LiveSystem().user_without_home(overlay_used=used) == LIVE_USER
    assert LiveSystem(user=ANN).user_without_home(overlay_used=used) == ANN
