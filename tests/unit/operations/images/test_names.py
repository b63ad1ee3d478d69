# SPDX-License-Identifier: Apache-2.0
"""Names and titles of images, and the names of files that lie beside older ones."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from liveos.errors import UnsupportedError
from liveos.operations.images.names import default_name
from liveos.operations.images.old_files import OldFiles, beside
from liveos.operations.images.titles import told_apart
from liveos.operations.install.payload import payload_of
from tests.unit.operations.sources import FLAT, NESTED, medium


@dataclass
class Names:
    """As much of a stick as names need."""

    promised: Sequence[str]
    leftovers: Sequence[str]
    on_live: Sequence[str]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.promised)

    @property
    def live(self) -> "Names":
        return self

    def list_names(self, _path: str) -> list[str]:
        return list(self.on_live)


@pytest.mark.parametrize(
    ("label", "stick", "name"),
    [
        ("Fedora-WS-Live-40", Names((), (), ()), "Fedora-WS-Live-40"),
        ("d-live 12.5.0 st amd64", Names((), (), ()), "d-live-12.5.0-st-amd64"),
        ("X", Names(("x",), (), ("x",)), "X-2"),
        ("X", Names(("X", "X-2"), (), ("X", "X-2")), "X-3"),
        ("X", Names(("Y",), ("X",), ("X", "Y")), "X"),
        ("X", Names(("Y",), (), ("X", "Y")), "X-2"),
        ("updates", Names(("Y",), (), ("Y",)), "updates-2"),
        ("/../", Names((), (), ()), "Live"),
        (None, Names((), (), ()), "Live"),
        ("a" * 40, Names((), (), ()), "a" * 32),
    ],
)
def test_an_image_is_called_after_its_label(label: str | None, stick: Any, name: str) -> None:  # noqa: ANN401 - a stand-in
    assert default_name(stick, label) == name


def test_titles_get_the_name_where_another_image_has_them() -> None:
    payload = payload_of(medium(), NESTED, "B")
    other = replace(payload.main, title="start fedora LIVE")
    found = told_apart(payload, [other], "B")
    assert found.main.title == "Start Fedora Live [B]"
    assert found.basic is not None
    assert found.basic.title == "Start Fedora Live in basic graphics mode [B]"
    assert told_apart(payload, [replace(other, title="Start another")], "B") == payload


@pytest.mark.parametrize(
    ("root", "new"),
    [
        ("squashfs.img", "squashfs-2.img"),
        ("squashfs-2.img", "squashfs.img"),
        ("rootfs.img", "squashfs-2.img"),
    ],
)
def test_a_new_root_is_not_called_as_the_old_one(root: str, new: str) -> None:
    payload = payload_of(medium(FLAT), FLAT, "B")
    found = beside(payload, "B", OldFiles(root, (), (), ()))
    assert found.root_name == new
    assert [path for _, path in found.boot_files] == ["/liveos/B/vmlinuz", "/liveos/B/initrd.img"]


def test_a_root_that_is_not_packed_has_no_second_name() -> None:
    payload = payload_of(medium(), NESTED, "B", uncompressed=True)
    with pytest.raises(UnsupportedError, match="not packed"):
        beside(payload, "B", OldFiles("squashfs.img", (), (), ()))
