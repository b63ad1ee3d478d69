# SPDX-License-Identifier: Apache-2.0
"""What ``inspect`` says of real ISOs, payloads and sticks, against what other programs say."""

import os
import random
import re
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from liveos.errors import UnsupportedError
from liveos.formats.binary import ExtentSource, FileSource
from liveos.host.target import UNFINISHED_NOTICE
from liveos.medium.document import to_document
from liveos.medium.inspect import inspect
from liveos.medium.model import FileRef, MediumKind, PersistenceKind
from liveos.medium.persistence import usable_kinds
from tests.images.cache import cached
from tests.images.recipes import RECIPES, Recipe
from tests.tools.formats.isos import run
from tests.tools.medium.media import ESP, LINUX, make_disk, make_ext4, make_fat, make_iso
from tests.unit.medium import payloads
from tests.unit.medium.eras import ERAS

pytestmark = pytest.mark.tools

GIB = 1 << 30


def content(file: FileRef) -> bytes:
    """The file's bytes, from where the facts say that they lie."""
    assert file.extents is not None
    with FileSource(file.container) as container:
        return ExtentSource(container, file.extents).read_at(0, file.size)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return ERAS["fedora-36"]().write(tmp_path / "tree")


@pytest.fixture
def iso(tree: Path, tmp_path: Path) -> Path:
    return make_iso(tree, tmp_path / "x.iso", "Fedora-WS-Live-36-1-5")


class TestIso:
    def test_identity_is_what_xorriso_says(self, iso: Path) -> None:
        medium = inspect(iso)
        said = run("xorriso", "-indev", iso, "-pvd_info", "-report_el_torito", "plain")
        assert medium.kind is MediumKind.ISO
        assert re.findall(r"(?m)^Volume Id +: (.*)", said) == [medium.label]
        platforms = re.findall(r"(?m)^El Torito boot img : +\d+ +(\w+)", said)
        assert (medium.boot.bios, "UEFI" in platforms) == ("BIOS" in platforms, True)
        assert medium.size == iso.stat().st_size

    def test_implanted_sum_is_what_checkisomd5_says(self, iso: Path) -> None:
        md5 = inspect(iso).implanted_md5
        assert md5 is not None
        assert f":   {md5.md5}\n" in run("checkisomd5", "--md5sumonly", iso)

    def test_files_are_where_the_facts_say(self, iso: Path, tree: Path) -> None:
        (image,) = inspect(iso).images
        files = [image.root.file, *(k.file for k in image.kernels)]
        files += [initramfs.file for initramfs in image.initramfs]
        for file in files:
            assert file is not None
            assert content(file) == (tree / file.path[1:]).read_bytes()

    @pytest.mark.parametrize("name", ERAS)
    def test_an_iso_is_its_tree(self, name: str, tmp_path: Path) -> None:
        era = ERAS[name]()
        tree = era.write(tmp_path / "tree")
        expected = to_document(inspect(tree))
        iso = make_iso(tree, tmp_path / "x.iso", era.label)
        found = to_document(inspect(iso))
        assert found["label"] == era.label
        assert found["images"] == expected["images"]
        assert found["warnings"] == expected["warnings"]

    def test_truncation_is_named_or_refused(self, iso: Path) -> None:
        size = iso.stat().st_size
        for kept in (size - 2048, size // 2, size // 4, 300 << 10, 40 << 10):
            os.truncate(iso, kept)
            with suppress(UnsupportedError):
                assert "truncated" in {finding.code for finding in inspect(iso).warnings}
        for kept in (34 << 10, 33 << 10, 100, 0):
            os.truncate(iso, kept)
            with pytest.raises(UnsupportedError) as caught:
                inspect(iso)
            assert caught.value.hint

    def test_a_label_that_the_menu_does_not_know(self, tree: Path, tmp_path: Path) -> None:
        iso = make_iso(tree, tmp_path / "renamed.iso", "Renamed")
        assert "other-filesystem-named" in {finding.code for finding in inspect(iso).warnings}

    def test_a_label_with_a_blank(self, tmp_path: Path) -> None:
        tree = ERAS["fedora-36"]().write(tmp_path / "tree", "A label")
        medium = inspect(make_iso(tree, tmp_path / "blank.iso", "A label"))
        assert medium.label == "A label"
        assert "other-filesystem-named" not in {finding.code for finding in medium.warnings}

    def test_links_stay_inside(self, tree: Path, tmp_path: Path) -> None:
        kernel = tree / "images/pxeboot/vmlinuz"
        kernel.unlink()
        kernel.symlink_to("../../../../../../isolinux/vmlinuz")
        initrd = tree / "images/pxeboot/initrd.img"
        initrd.unlink()
        initrd.symlink_to("/etc/passwd")
        loop = tree / "isolinux/initrd.img"
        loop.unlink()
        loop.symlink_to("initrd.img")
        medium = inspect(make_iso(tree, tmp_path / "links.iso", "LINKS"))
        assert [kernel.file.path for kernel in medium.images[0].kernels] == ["/isolinux/vmlinuz"]
        assert not medium.images[0].initramfs
        missing = [f.message for f in medium.warnings if f.code == "missing-boot-file"]
        assert len(missing) == 2


class TestPayloads:
    """Real roots of some size, one for each packing."""

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        root = tmp_path / "root"
        for name in ("usr/bin", "proc", "etc"):
            (root / name).mkdir(parents=True)
        for number in range(40):
            (root / f"usr/bin/{number}").write_bytes(os.urandom(50_000))
        return root

    def test_nested_squashfs(self, root: Path, tmp_path: Path) -> None:
        live = tmp_path / "packed/LiveOS"
        live.mkdir(parents=True)
        make_ext4(live / "rootfs.img", root, "Anaconda")
        image = tmp_path / "squashfs.img"
        run("mksquashfs", live.parent, image, "-comp", "zstd", "-quiet", "-no-progress")
        found = inspect(image).images[0].root
        said = run("unsquashfs", "-s", image)
        assert re.findall(r"(?m)^Compression (\w+)", said) == [found.compression]
        said = run("dumpe2fs", "-h", live / "rootfs.img")
        blocks, free, size = (
            int(re.findall(rf"(?m)^{key}: +(\d+)", said)[0])
            for key in ("Block count", "Free blocks", "Block size")
        )
        assert re.findall(r"(?m)^Filesystem UUID: +(.*)", said) == [found.uuid]
        assert (found.filesystem, found.label) == ("ext4", "Anaconda")
        assert found.apparent_size == blocks * size
        assert found.used_size == (blocks - free) * size
        assert found.stored_size == image.stat().st_size

    def test_flat_erofs(self, root: Path, tmp_path: Path) -> None:
        image = tmp_path / "squashfs.img"
        run("mkfs.erofs", "--quiet", "-zlz4hc", image, root)
        medium = inspect(image)
        said = run("dump.erofs", "-s", image)
        found = medium.images[0].root
        assert medium.kind is MediumKind.EROFS
        assert (found.container, found.nested) == ("erofs", None)
        assert re.findall(r"(?m)^Filesystem UUID: +(.*)", said) == [found.uuid]

    def test_flat_squashfs_that_lies(self, root: Path, tmp_path: Path) -> None:
        """struct squashfs_super_block: bytes_used at 40, inode table at 64, directories at 72."""
        image = tmp_path / "squashfs.img"
        run("mksquashfs", root, image, "-quiet", "-no-progress")
        honest = image.read_bytes()
        for offset in (4, 12, 20, 22, 28, 32, 40, 48, 56, 64, 72, 80):
            for lie in (b"\xff" * 8, bytes(8), (1 << 40).to_bytes(8, "little")):
                image.write_bytes(honest[:offset] + lie + honest[offset + 8 :])
                with suppress(UnsupportedError):
                    inspect(image)


class TestSticks:
    def stick(self, tmp_path: Path, era: str) -> tuple[Path, Path]:
        """A tree for the ESP and one for LIVE, in the layout of design.md."""
        tree = ERAS[era]().write(tmp_path / "tree")
        esp, live = tmp_path / "esp", tmp_path / "live"
        (esp / "liveos/LiveOS").mkdir(parents=True)
        (esp / "EFI/BOOT").mkdir(parents=True)
        live.mkdir()
        shutil.move(tree / "LiveOS", live / "LiveOS")
        for name in ("vmlinuz", "initrd.img"):
            shutil.move(tree / "images/pxeboot" / name, esp / "liveos/LiveOS" / name)
        (esp / "EFI/BOOT/grub.cfg").write_text(
            "search --no-floppy --fs-uuid --set=root AAAA-BBBB\nset default=0\nset timeout=5\n"
            "source ($root)/liveos/LiveOS/menu.cfg\n"
        )
        (esp / "liveos/LiveOS/menu.cfg").write_text(
            "menuentry 'Start' {\n linux /liveos/LiveOS/vmlinuz root=live:UUID=1 rd.live.image\n"
            " initrd /liveos/LiveOS/initrd.img\n}\n"
        )
        return esp, live

    def disk(self, tmp_path: Path, esp: Path, live: Path) -> Path:
        partitions = {
            make_fat(tmp_path / "esp.img", esp, "LIVE-BOOT"): ESP,
            make_ext4(tmp_path / "live.img", live, "LIVE"): LINUX,
        }
        return make_disk(tmp_path / "stick.img", "gpt", partitions)

    def test_own_layout(self, tmp_path: Path) -> None:
        esp, live = self.stick(tmp_path, "fedora-41-flat")
        (live / "LiveOS/overlay-LIVE-x").mkdir()
        (live / "LiveOS/ovlwork").mkdir()
        disk = self.disk(tmp_path, esp, live)
        medium = inspect(disk)
        (image,) = medium.images
        assert (medium.kind, medium.label, image.name) == (MediumKind.DISK, "LIVE", "LiveOS")
        assert [entry.title for entry in image.entries] == ["Start", "Start"]
        assert image.kernels[0].version == "6.11.4-301.fc41.x86_64"
        assert usable_kinds(image.persistence) == (PersistenceKind.DIRECTORY, PersistenceKind.IMAGE)
        assert image.overlay is not None
        assert image.overlay.kind is PersistenceKind.DIRECTORY
        assert content(image.kernels[0].file) == (esp / "liveos/LiveOS/vmlinuz").read_bytes()
        assert image.root.file is not None
        assert content(image.root.file) == (live / "LiveOS/squashfs.img").read_bytes()
        listed = [(p.filesystem, p.label, p.offset, p.size) for p in medium.partitions]
        said = run("sfdisk", "--dump", disk)
        places = re.findall(r"start= *(\d+), size= *(\d+)", said)
        assert [(o // 512, s // 512) for _, _, o, s in listed] == [
            (int(start), int(size)) for start, size in places
        ]
        assert [row[:2] for row in listed] == [("vfat", "LIVE-BOOT"), ("ext4", "LIVE")]

    def test_unfinished_by_the_mark_on_the_esp(self, tmp_path: Path) -> None:
        esp, live = self.stick(tmp_path, "fedora-40")
        (esp / "LIVEOS-UNFINISHED").write_text("not yet\n")
        assert self.codes(self.disk(tmp_path, esp, live)) >= {"unfinished-install"}

    def test_unfinished_by_name_and_by_boot_code(self, tmp_path: Path) -> None:
        disk = self.disk(tmp_path, *self.stick(tmp_path, "fedora-40"))
        assert "unfinished-install" not in self.codes(disk)
        part = disk.rename(tmp_path / "stick.img.part")
        assert "unfinished-install" in self.codes(part)
        whole = part.rename(disk)
        with whole.open("r+b") as file:
            file.write(UNFINISHED_NOTICE)
        assert "unfinished-install" in self.codes(disk)
        assert not inspect(disk).boot.bios
        wiped = tmp_path / "wiped.img"
        wiped.write_bytes(UNFINISHED_NOTICE.ljust(1 << 20, b"\0"))
        assert "unfinished-install" in self.codes(wiped)

    def test_a_table_without_filesystems(self, tmp_path: Path) -> None:
        empty = tmp_path / "empty.img"
        empty.write_bytes(bytes(1 << 20))
        disk = make_disk(tmp_path / "stick.img", "gpt", {empty: LINUX})
        assert self.codes(disk) == {"no-filesystem", "no-live-image"}

    def test_a_livecd_iso_to_disk_stick(self, tmp_path: Path) -> None:
        """livecd-tools: one FAT partition, kernels and menu in /syslinux, overlay as a file."""
        tree = ERAS["fedora-23"]().write(tmp_path / "tree")
        (tree / "isolinux").rename(tree / "syslinux")
        menu = (tree / "syslinux/isolinux.cfg").read_text().replace(
            "root=live:CDLABEL=Fedora-Live-WS-x86_64-23-10", "root=live:UUID=1234-ABCD"
        )  # fmt: skip
        (tree / "syslinux/extlinux.conf").write_text(menu)
        (tree / "syslinux/isolinux.cfg").unlink()
        (tree / "syslinux/ldlinux.sys").write_bytes(bytes(512))
        (tree / "LiveOS/overlay-LIVE-1234-ABCD").write_bytes(bytes(1 << 20))
        (tree / "LiveOS/home.img").write_bytes(payloads.BARE_EXT4)
        shutil.rmtree(tree / "EFI")
        fat = make_fat(tmp_path / "fat.img", tree, "LIVE")
        medium = inspect(make_disk(tmp_path / "stick.img", "dos", {fat: "c"}))
        (image,) = medium.images
        assert [entry.firmware for entry in image.entries] == ["bios"] * 4
        assert {kernel.file.path for kernel in image.kernels} == {"/syslinux/vmlinuz0"}
        assert image.overlay is not None
        assert (image.overlay.kind, image.overlay.state) == ("snapshot", "blank")
        assert image.home is not None
        assert (image.home.size, image.home.encrypted) == (len(payloads.BARE_EXT4), False)
        assert "syslinux" in {loader.role for loader in medium.boot.loaders}

    def codes(self, disk: Path) -> set[str]:
        return {finding.code for finding in inspect(disk).warnings}


@pytest.mark.parametrize("era", ["fedora-36", "fedora-42-kiwi"])
def test_damage_anywhere_is_survived_or_refused(era: str, tmp_path: Path) -> None:
    """Bytes that mean something are changed, a few or many of them: facts, or one kind of error."""
    tree = ERAS[era]().write(tmp_path / "tree")
    honest = make_iso(tree, tmp_path / "x.iso", "X").read_bytes()
    places = [offset for offset, byte in enumerate(honest) if byte]
    damaged = tmp_path / "damaged.iso"
    for seed in range(60):
        chance = random.Random(seed)
        data = bytearray(honest)
        for offset in chance.choices(places, k=chance.choice((1, 5, 50, 500))):
            data[offset] = chance.randrange(256)
        damaged.write_bytes(data)
        with suppress(UnsupportedError):
            to_document(inspect(damaged))


class TestRealImages:
    """Images that ``python3 -m tests.images`` has built."""

    @pytest.fixture(params=RECIPES, ids=lambda recipe: recipe.name)
    def recipe(self, request: pytest.FixtureRequest) -> Recipe:
        recipe: Recipe = request.param
        if not cached(recipe).exists:
            pytest.skip(f"python3 -m tests.images {recipe.name} has not been run")
        return recipe

    def test_facts(self, recipe: Recipe) -> None:
        medium = inspect(cached(recipe).iso)
        (image,) = medium.images
        assert medium.label == recipe.label
        assert (medium.boot.bios, medium.boot.uefi, medium.boot.secure_boot) == (
            True,
            ("x64",),
            True,
        )
        is_nested = recipe.name == "nested"
        assert (image.root.nested is not None) == is_nested
        kinds = ["snapshot"] * is_nested + ["directory", "image"] + ["direct"] * is_nested
        assert [str(kind) for kind in usable_kinds(image.persistence)] == kinds
        assert {entry.firmware for entry in image.entries} == {"bios", "uefi"}
        assert all(initramfs.dracut for initramfs in image.initramfs)
        assert "default-checks-media" in {finding.code for finding in medium.warnings}

    def test_bytes_read(self, recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
        """design.md: at most 64 MiB of a 2 GiB ISO."""
        total = 0
        pread = os.pread

        def counted(descriptor: int, length: int, offset: int) -> bytes:
            nonlocal total
            data = pread(descriptor, length, offset)
            total += len(data)
            return data

        monkeypatch.setattr("liveos.formats.binary.os.pread", counted)
        inspect(cached(recipe).iso)
        assert 0 < total < 64 << 20
