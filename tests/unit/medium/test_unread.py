# SPDX-License-Identifier: Apache-2.0
"""Records of images whose filesystem is not read: whatever they say, an image or nothing."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveos.formats.binary import MemorySource
from liveos.medium.directory_tree import DirectoryTree
from liveos.medium.model import MediumKind, PersistenceKind
from liveos.medium.scene import Scene
from liveos.medium.unread import unread_images
from liveos.medium.volume import Volume

RECORD = {
    "overlay": {"kind": "snapshot", "path": "/LiveOS/overlay-A-1", "size": 4096},
    "home": {"path": "/LiveOS/home.img", "size": 8192, "uuid": "1-2", "encrypted": True},
    "swap": None,
    "files": [
        {"partition": "ESP", "path": "/liveos/LiveOS/vmlinuz", "size": 5, "sha256": "0"},
        {"partition": "LIVE", "path": "/LiveOS/squashfs.img", "size": 77, "sha256": "1"},
    ],
}


def scene(top: Path, record: bytes) -> Scene:
    place = top / "liveos" / "LiveOS"
    place.mkdir(parents=True, exist_ok=True)
    (place / "image.json").write_bytes(record)
    volume = Volume(DirectoryTree(top), "vfat", top)
    return Scene(top, MediumKind.DISK, None, MemorySource(b"").size, (volume,))


def test_a_record_is_an_image(tmp_path: Path) -> None:
    whole = scene(tmp_path, json.dumps(RECORD).encode())
    (image,) = unread_images(whole, frozenset())
    assert image.name == "LiveOS"
    assert image.overlay is not None
    assert image.overlay.kind is PersistenceKind.SNAPSHOT
    assert image.home is not None
    assert (image.home.encrypted, image.home.uuid) == (True, "1-2")
    assert image.swap is None
    assert image.root.stored_size == 77
    assert list(unread_images(whole, frozenset({"LiveOS"}))) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(sorted(RECORD)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*RECORD, "kind", "path", "size", "partition", "sha256"]), inner
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_record_gives_an_image_or_nothing(
    tmp_path_factory: pytest.TempPathFactory, record: object
) -> None:
    top = tmp_path_factory.mktemp("stick")
    for image in unread_images(scene(top, json.dumps(record).encode()), frozenset()):
        assert image.name == "LiveOS"
