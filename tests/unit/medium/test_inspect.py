# SPDX-License-Identifier: Apache-2.0
"""Facts of media of every era, and of things that are no media."""

import json
import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveos.errors import LiveosError, UnsupportedError, UsageError
from liveos.medium.document import to_document
from liveos.medium.inspect import inspect
from liveos.medium.model import Container, Family, Image, MediumKind, PersistenceKind
from liveos.medium.persistence import usable_kinds
from tests.unit.medium import payloads
from tests.unit.medium.eras import ERAS, Era

# What dumpe2fs says of the root in the payloads: 64 blocks of 4096 bytes, 44 of them free.
APPARENT = 64 * 4096
USED = 20 * 4096


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> Era:
    return ERAS[request.param]()


def only_image(directory: Path) -> Image:
    (image,) = inspect(directory).images
    return image


def test_layers(era: Era, tmp_path: Path) -> None:
    image = only_image(era.write(tmp_path))
    assert (image.name, image.family) == (era.live_directory, era.family)
    root = image.root
    assert (root.container, root.nested) == (era.container, era.nested)
    if era.nested:
        assert (root.filesystem, root.apparent_size, root.used_size) == ("ext4", APPARENT, USED)
    else:
        assert (root.filesystem, root.apparent_size) == (str(era.container), None)
    assert root.file is not None
    assert root.stored_size == (tmp_path / root.file.path[1:]).stat().st_size


def test_boot_files(era: Era, tmp_path: Path) -> None:
    image = only_image(era.write(tmp_path))
    assert {kernel.file.path for kernel in image.kernels} == set(era.kernels)
    assert {kernel.version for kernel in image.kernels} == {era.kernel_version}
    assert {initramfs.dracut for initramfs in image.initramfs} == {era.dracut}
    if era.dracut:
        assert {initramfs.kernel for initramfs in image.initramfs} == {era.kernel_version}


def test_persistence(era: Era, tmp_path: Path) -> None:
    image = only_image(era.write(tmp_path))
    assert [str(kind) for kind in usable_kinds(image.persistence)] == era.persistence.split()
    assert all(option.reason for option in image.persistence if not option.usable)


def test_warnings(era: Era, tmp_path: Path) -> None:
    assert {finding.code for finding in inspect(era.write(tmp_path)).warnings} == era.warnings


def test_document(era: Era, tmp_path: Path) -> None:
    document = to_document(inspect(era.write(tmp_path)))
    assert json.loads(json.dumps(document)) == document
    assert document["schema"] == "liveos/inspect/1"
    # The keys of design.md, of which none may be missing.
    assert {"kind", "label", "size", "images", "boot", "partitions", "implanted_md5",
            "warnings"} <= document.keys()  # fmt: skip
    (image,) = document["images"]
    assert {"name", "root", "kernels", "initramfs", "entries", "persistence", "overlay", "home",
            "swap"} <= image.keys()  # fmt: skip
    assert {"container", "compression", "nested", "filesystem", "label", "uuid", "apparent_size",
            "used_size", "stored_size"} <= image["root"].keys()  # fmt: skip
    assert {"bios", "uefi", "secure_boot", "loaders"} <= document["boot"].keys()
    for entry in image["entries"]:
        assert {"title", "firmware", "kernel", "initrd", "options"} <= entry.keys()


def test_identity_of_the_nested_root(tmp_path: Path) -> None:
    root = only_image(ERAS["fedora-36"]().write(tmp_path)).root
    assert (root.label, root.uuid) == ("Anaconda", "2fe99653-f7ff-44fd-bea8-fa70107524fb")
    assert root.compression == "xz"


@pytest.mark.parametrize(
    ("content", "kind", "container", "filesystem", "nested"),
    [
        (payloads.NESTED_ROOTFS, MediumKind.SQUASHFS, Container.SQUASHFS, "ext4",
         "LiveOS/rootfs.img"),
        (payloads.FLAT_SQUASHFS, MediumKind.SQUASHFS, Container.SQUASHFS, "squashfs", None),
        (payloads.FLAT_EROFS, MediumKind.EROFS, Container.EROFS, "erofs", None),
        (payloads.BARE_EXT4, MediumKind.FILESYSTEM, Container.NONE, "ext4", None),
    ],
)  # fmt: skip
def test_bare_images(
    content: bytes,
    kind: MediumKind,
    container: Container,
    filesystem: str,
    nested: str | None,
    tmp_path: Path,
) -> None:
    path = tmp_path / "root.img"
    path.write_bytes(content)
    medium = inspect(path)
    (image,) = medium.images
    assert medium.kind is kind
    assert (image.root.container, image.root.filesystem) == (container, filesystem)
    assert image.root.nested == nested
    assert image.family is Family.UNKNOWN
    assert not usable_kinds(image.persistence)


def test_memory_beside_an_image(tmp_path: Path) -> None:
    live = ERAS["fedora-41-flat"]().write(tmp_path) / "LiveOS"
    (live / "overlay--").mkdir()
    (live / "ovlwork").mkdir()
    (live / "home.img").write_bytes(b"LUKS\xba\xbe\0\2" + bytes(4096))
    (live / "swap.img").write_bytes(bytes(4096))
    image = only_image(tmp_path)
    assert image.overlay is not None
    assert (image.overlay.kind, image.overlay.path) == (
        PersistenceKind.DIRECTORY,
        "/LiveOS/overlay--",
    )
    assert image.home is not None
    assert image.home.encrypted is True
    assert image.swap is not None
    assert image.swap.encrypted is False


@pytest.mark.parametrize(
    ("word", "is_direct"),
    [("rd.live.overlay=none", True), ("rd.overlay=none", False), ("quiet", False)],
)
def test_an_uncompressed_root_that_is_written_through(
    word: str, *, is_direct: bool, tmp_path: Path
) -> None:
    """boot-contract.md 2 (c), and rule 4: the new name is a tmpfs."""
    stick = ERAS["fedora-40"]().write(tmp_path)
    (stick / "LiveOS/squashfs.img").unlink()
    (stick / "LiveOS/rootfs.img").write_bytes(payloads.BARE_EXT4)
    for menu in stick.glob("**/grub.cfg"):
        menu.write_text(menu.read_text().replace("rd.live.image", f"rd.live.image {word}"))
    overlay = only_image(stick).overlay
    assert (overlay is not None) is is_direct
    if overlay is not None:
        assert overlay.kind is PersistenceKind.DIRECT
        assert (overlay.path, overlay.size) == ("/LiveOS/rootfs.img", len(payloads.BARE_EXT4))


@pytest.mark.parametrize(
    ("content", "kind", "state"),
    [
        (bytes(65536), PersistenceKind.SNAPSHOT, "blank"),
        # dm-snap-persistent.c, struct disk_header: magic, valid, version, chunk size in sectors
        (b"SnAp\1\0\0\0\1\0\0\0\x08\0\0\0" + bytes(8192), PersistenceKind.SNAPSHOT, "valid"),
        (b"SnAp\0\0\0\0\1\0\0\0\x08\0\0\0" + bytes(8192), PersistenceKind.SNAPSHOT, "invalid"),
        (b"SnAp\1\0\0\0\2\0\0\0\x08\0\0\0" + bytes(8192), PersistenceKind.SNAPSHOT, "damaged"),
        (payloads.BARE_EXT4, PersistenceKind.IMAGE, None),
    ],
)
def test_overlay_files(
    content: bytes, kind: PersistenceKind, state: str | None, tmp_path: Path
) -> None:
    live = ERAS["fedora-40"]().write(tmp_path) / "LiveOS"
    (live / "overlay-LIVE-1").write_bytes(content)
    overlay = only_image(tmp_path).overlay
    assert overlay is not None
    assert (overlay.kind, overlay.state, overlay.size) == (kind, state, len(content))


def test_an_overlay_directory_needs_its_sister(tmp_path: Path) -> None:
    live = ERAS["fedora-41-flat"]().write(tmp_path) / "LiveOS"
    (live / "overlay--").mkdir()
    assert "overlay-without-workdir" in {each.code for each in inspect(tmp_path).warnings}


def test_several_images_share_a_medium(tmp_path: Path) -> None:
    ERAS["fedora-40"]().write(tmp_path)
    (tmp_path / "A1b2").mkdir()
    (tmp_path / "A1b2/squashfs.img").write_bytes(payloads.FLAT_SQUASHFS)
    menu = tmp_path / "EFI/BOOT/grub.cfg"
    menu.write_text(menu.read_text() + "menuentry Second {\n linux /images/pxeboot/vmlinuz "
                    "root=live:UUID=1 rd.live.image rd.live.dir=A1b2\n"
                    " initrd /images/pxeboot/initrd.img\n}\n")  # fmt: skip
    images = {image.name: image for image in inspect(tmp_path).images}
    assert images.keys() == {"LiveOS", "A1b2"}
    assert [entry.title for entry in images["A1b2"].entries] == ["Second"]
    assert "Second" not in {entry.title for entry in images["LiveOS"].entries}


def test_missing_boot_files_are_told(tmp_path: Path) -> None:
    ERAS["fedora-40"]().write(tmp_path)
    (tmp_path / "images/pxeboot/vmlinuz").unlink()
    (tmp_path / "images/pxeboot/initrd.img").write_bytes(b"nothing")
    codes = {finding.code for finding in inspect(tmp_path).warnings}
    assert {"missing-boot-file", "unreadable-initramfs"} <= codes


def test_a_root_of_unknown_kind_is_told(tmp_path: Path) -> None:
    ERAS["fedora-40"]().write(tmp_path)
    (tmp_path / "LiveOS/squashfs.img").write_bytes(b"what?" * 1000)
    medium = inspect(tmp_path)
    assert "unreadable-root" in {finding.code for finding in medium.warnings}
    assert not usable_kinds(medium.images[0].persistence)


def test_an_empty_directory_holds_no_image(tmp_path: Path) -> None:
    medium = inspect(tmp_path)
    assert not medium.images
    assert [finding.code for finding in medium.warnings] == ["no-live-image"]


@pytest.mark.parametrize("content", [b"", b"text\n", bytes(1 << 20), b"\xff" * 70_000])
def test_files_that_are_nothing(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "thing"
    path.write_bytes(content)
    with pytest.raises(UnsupportedError, match="thing") as caught:
        inspect(path)
    assert caught.value.hint


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        inspect(tmp_path / "missing")
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(LiveosError):
        inspect(tmp_path / "fifo")


IMAGES = {
    "nested": payloads.NESTED_ROOTFS,
    "flat": payloads.FLAT_SQUASHFS,
    "erofs": payloads.FLAT_EROFS,
    "ext4": payloads.BARE_EXT4,
}


@given(
    st.sampled_from(sorted(IMAGES)),
    st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), max_size=8),
)
def test_damaged_images(
    tmp_path_factory: pytest.TempPathFactory, image: str, changes: list[tuple[int, int]]
) -> None:
    damaged = bytearray(IMAGES[image])
    for offset, value in changes:
        damaged[offset % len(damaged)] = value
    path = tmp_path_factory.getbasetemp() / "damaged.img"
    path.write_bytes(damaged)
    with suppress(UnsupportedError):
        inspect(path)
