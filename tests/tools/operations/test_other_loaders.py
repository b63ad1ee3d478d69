# SPDX-License-Identifier: Apache-2.0
"""Sticks that SYSLINUX or UEFI alone starts, after their installation."""

import re
from pathlib import Path

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus, NoSpaceError, UnsupportedError
from liveos.medium.inspect import inspect
from liveos.medium.model import Firmware
from liveos.operations.install.bootloaders import EfiStub, Syslinux
from tests.tools.operations.images.sticks import make_source
from tests.tools.operations.layouts import cut, made, partitions, read_fat, section
from tests.tools.operations.tiny import MIB, contents, run

pytestmark = pytest.mark.tools

OVERLAY = "rd.live.overlay=UUID="
UNIFIED = "/EFI/BOOT/BOOTX64.EFI"


def esp_of(stick: Path, scratch: Path) -> Path:
    inside = cut(stick, partitions(stick)[-2], scratch / "esp")
    run("fsck.fat", "-n", inside)
    return inside


def command_line(stick: Path, scratch: Path) -> str:
    image = scratch / "image.efi"
    image.write_bytes(read_fat(esp_of(stick, scratch), UNIFIED))
    assert section(image, ".linux").startswith(contents("/images/pxeboot/vmlinuz"))
    assert section(image, ".initrd").startswith(contents("/images/pxeboot/initrd.img"))
    return section(image, ".cmdline").rstrip(b"\0").decode()


def syslinux_and_grub(stick: Path, scratch: Path) -> tuple[list[str], list[str]]:
    """(words of the kernel lines of both menus), after a look at both menus' titles."""
    esp = esp_of(stick, scratch)
    menu = read_fat(esp, "/liveos/LiveOS/syslinux.cfg").decode()
    grub = read_fat(esp, "/liveos/LiveOS/menu.cfg").decode()
    assert menu.count("LABEL LiveOS-0\n") == 1
    assert re.findall(r"MENU LABEL (.*)", menu) == re.findall(r"menuentry '(.*)'", grub)
    return re.findall(r"APPEND (.*)", menu), re.findall(r"linux \S+ (.*)", grub)


def test_syslinux_starts_what_grub_starts(iso: Path, tmp_path: Path) -> None:
    stick = made(iso, tmp_path / "stick.img", bootloader=Syslinux())
    before, _ = syslinux_and_grub(stick, tmp_path)
    assert OVERLAY in before[0]
    assert main(["overlay", "remove", str(stick), "--yes"]) == ExitStatus.DONE
    after, by_grub = syslinux_and_grub(stick, tmp_path)
    assert after == by_grub
    assert not any(OVERLAY in line for line in after)
    assert 0 < len(after) < len(before)


def test_a_unified_kernel_image_gets_another_command_line(iso: Path, tmp_path: Path) -> None:
    stick = made(iso, tmp_path / "stick.img", bootloader=EfiStub())
    before = command_line(stick, tmp_path)
    (word,) = [word for word in before.split() if word.startswith(OVERLAY)]
    assert main(["overlay", "remove", str(stick), "--yes"]) == ExitStatus.DONE
    after = command_line(stick, tmp_path)
    assert set(before.split()) - set(after.split()) >= {word}
    assert after.startswith("root=live:UUID=")
    names = run("mdir", "-b", "-i", tmp_path / "esp", "::/EFI/BOOT").decode().split()
    assert sorted(names) == ["::/EFI/BOOT/BOOTX64.EFI", "::/EFI/BOOT/grub.cfg"]


def test_without_room_for_a_second_one_nothing_is_changed(iso: Path, tmp_path: Path) -> None:
    stick = made(iso, tmp_path / "stick.img", bootloader=EfiStub())
    esp = partitions(stick)[-2]
    image = f"{stick}@@{int(str(esp['start'])) * 512}"
    said = run("mdir", "-i", image, "::/").decode().replace(" ", "")
    free = int(said.partition("bytesfree")[0].rpartition("bytes")[2])
    (tmp_path / "filler").write_bytes(bytes(free - MIB))
    run("mcopy", "-i", image, tmp_path / "filler", "::/filler")
    before = stick.read_bytes()
    assert main(["overlay", "remove", str(stick), "--yes"]) == NoSpaceError.status
    assert stick.read_bytes() == before


def test_uefi_starts_the_image_and_not_the_menu(iso: Path, tmp_path: Path) -> None:
    stick = made(iso, tmp_path / "stick.img", bootloader=EfiStub())
    (image,) = inspect(stick).images
    uefi = [entry for entry in image.entries if entry.firmware is Firmware.UEFI]
    assert [(entry.kernel, entry.default) for entry in uefi] == [(UNIFIED, True)]
    assert " ".join(uefi[0].options) == command_line(stick, tmp_path)


def menus(stick: Path, scratch: Path, name: str) -> tuple[list[str], list[str]]:
    """The titles of an image in both menus, SYSLINUX's first."""
    esp = esp_of(stick, scratch)
    syslinux = read_fat(esp, f"/liveos/{name}/syslinux.cfg").decode()
    grub = read_fat(esp, f"/liveos/{name}/menu.cfg").decode()
    assert re.findall(r"LABEL (.*)", syslinux)[0] == f"{name}-0"
    return re.findall(r"MENU LABEL (.*)", syslinux), re.findall(r"menuentry '(.*)'", grub)


def images_in_both(stick: Path, scratch: Path) -> list[str]:
    """What the stick's menus lead to, in their order; the first one starts by itself."""
    esp = esp_of(stick, scratch)
    syslinux = read_fat(esp, "/syslinux/syslinux.cfg").decode()
    grub = read_fat(esp, "/EFI/BOOT/grub.cfg").decode()
    names = re.findall(r"^INCLUDE /liveos/(.*)/syslinux.cfg$", syslinux, re.MULTILINE)
    assert names == re.findall(r"^source \(\$root\)/liveos/(.*)/menu.cfg$", grub, re.MULTILINE)
    assert f"\nDEFAULT {names[0]}-0\n" in syslinux
    for name in names:
        ours, by_grub = menus(stick, scratch, name)
        assert ours == by_grub
    return names


def test_several_images_are_in_both_menus(iso: Path, tmp_path: Path) -> None:
    """Each verb, on a stick that SYSLINUX starts by BIOS and GRUB by UEFI."""
    stick = made(iso, tmp_path / "stick.img", bootloader=Syslinux())

    def do(*words: str) -> list[str]:
        assert main([*words, "--yes"]) == ExitStatus.DONE
        return images_in_both(stick, tmp_path)

    source = str(make_source(tmp_path))
    add = ("install", "--add", source, str(stick), "--overlay", "none", "--name")
    assert do(*add, "More") == ["LiveOS", "More"]
    assert do("rename", f"{stick}:More", "Other") == ["LiveOS", "Other"]
    assert do("default", f"{stick}:Other") == ["Other", "LiveOS"]
    assert do("update", f"{stick}:Other", source) == ["Other", "LiveOS"]
    assert do("remove", f"{stick}:Other") == ["LiveOS"]


@pytest.mark.parametrize(
    "words",
    [
        ["install", "--add", "--name", "More", "ISO", "STICK"],
        ["remove", "--force", "STICK"],
        ["rename", "STICK:LiveOS", "Other"],
        ["default", "STICK"],
        ["update", "STICK", "ISO"],
    ],
    ids=lambda words: str(words[0]),
)
def test_what_uefi_starts_by_itself_is_one_image(
    words: list[str],
    iso: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What would not be in its menu, or go on being there, is refused."""
    stick = made(iso, tmp_path / "stick.img", bootloader=EfiStub())
    before = stick.read_bytes()
    line = [word.replace("ISO", str(iso)).replace("STICK", str(stick)) for word in words]
    assert main([*line, "--yes"]) == UnsupportedError.status
    assert "such a stick has one image" in capsys.readouterr().err
    assert stick.read_bytes() == before
