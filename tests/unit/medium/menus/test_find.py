# SPDX-License-Identifier: Apache-2.0
"""The menu of each firmware on trees of every era."""

from pathlib import Path

import pytest

from liveos.medium.directory_tree import DirectoryTree
from liveos.medium.family import family_of
from liveos.medium.menus.find import find_menu
from liveos.medium.model import Entry, Firmware
from tests.unit.medium.eras import ERAS, LABELS, Era


def entries(directory: Path, firmware: Firmware) -> tuple[Entry, ...] | None:
    menu = find_menu(firmware, [DirectoryTree(directory)])
    return None if menu is None else menu.entries


def check(found: tuple[Entry, ...] | None, expected: tuple[int, str] | None) -> None:
    if expected is None or found is None:
        assert found is None
        assert expected is None
        return
    assert (len(found), [e.title for e in found if e.default]) == (expected[0], [expected[1]])


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> Era:
    return ERAS[request.param]()


def test_entries_and_default(era: Era, tmp_path: Path) -> None:
    era.write(tmp_path)
    check(entries(tmp_path, Firmware.BIOS), era.bios)
    check(entries(tmp_path, Firmware.UEFI), era.uefi)


def test_family_and_files(era: Era, tmp_path: Path) -> None:
    era.write(tmp_path)
    found = [e for f in Firmware for e in entries(tmp_path, f) or ()]
    assert family_of(found) is era.family
    linux = [e for e in found if e.initrd]
    assert {e.kernel for e in linux} == set(era.kernels)
    for entry in linux:
        for path in (entry.kernel, *entry.initrd):
            assert path is not None
            assert (tmp_path / path[1:]).is_file()
        assert not any(word.startswith("initrd=") for word in entry.options)


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("name", ["fedora-14", "fedora-36", "fedora-42-kiwi"])
def test_labels_survive(name: str, label: str, tmp_path: Path) -> None:
    ERAS[name]().write(tmp_path, label)
    found = [e for f in Firmware for e in entries(tmp_path, f) or () if e.live_source]
    sources = {(e.live_source or "").partition("LABEL=")[2] for e in found}
    assert sources == {label.replace(" ", r"\x20")}


def test_duplicate_labels_are_two_entries(tmp_path: Path) -> None:
    ERAS["fedora-14"]().write(tmp_path)
    found = entries(tmp_path, Firmware.BIOS) or ()
    assert [(e.label, e.title) for e in found[:2]] == [
        ("linux0", "Boot"),
        ("linux0", "Boot (Basic Video)"),
    ]
    memtest, local = found[3:]
    assert (memtest.kernel, memtest.options) == ("/isolinux/memtest", ())
    assert (local.kernel, local.command) == (None, "localboot")


def test_submenus_and_append_before_kernel(tmp_path: Path) -> None:
    ERAS["fedora-23"]().write(tmp_path)
    bios = entries(tmp_path, Firmware.BIOS) or ()
    assert [e.submenu for e in bios] == [(), *[("Troubleshooting",)] * 3]
    assert bios[1].kernel == "/isolinux/vmlinuz0"
    assert "nomodeset" in bios[1].options
    uefi = entries(tmp_path, Firmware.UEFI) or ()
    assert [e.submenu for e in uefi] == [(), (), ("Troubleshooting -->",)]
    assert uefi[0].command == "linuxefi"


def test_variables_by_platform(tmp_path: Path) -> None:
    ERAS["fedora-42-kiwi"]().write(tmp_path)
    for firmware, value in ((Firmware.BIOS, "nomodeset vga=791"), (Firmware.UEFI, "nomodeset")):
        basic = (entries(tmp_path, firmware) or ())[-1]
        assert basic.options[:3] == ("${basicgfx}", "quiet", "rhgb")
        assert dict(basic.variables) == {"basicgfx": value}


def test_the_default_checks_the_media(tmp_path: Path) -> None:
    ERAS["fedora-40"]().write(tmp_path)
    (default,) = [e for e in entries(tmp_path, Firmware.UEFI) or () if e.default]
    assert default.checks_media


def test_hypervisors(tmp_path: Path) -> None:
    ERAS["qubes-installer"]().write(tmp_path)
    bios = (entries(tmp_path, Firmware.BIOS) or ())[0]
    assert (bios.hypervisor, bios.hypervisor_options) == ("/isolinux/xen.gz", ("console=none",))
    assert (bios.kernel, bios.initrd) == ("/isolinux/vmlinuz", ("/isolinux/initrd.img",))
    assert bios.options[-2:] == ("quiet", "rhgb")
    uefi = (entries(tmp_path, Firmware.UEFI) or ())[1]
    assert uefi.hypervisor == "/images/pxeboot/xen.gz"
    assert uefi.kernel == "/images/pxeboot/vmlinuz"
    assert uefi.initrd == ("/images/pxeboot/initrd.img",)


def test_a_named_file_that_is_missing_is_told(tmp_path: Path) -> None:
    ERAS["fedora-42-kiwi"]().write(tmp_path)
    (tmp_path / "EFI/BOOT/grub.cfg").write_text("source /gone.cfg\nmenuentry x { linux /k }\n")
    menu = find_menu(Firmware.UEFI, [DirectoryTree(tmp_path)])
    assert menu is not None
    assert menu.missing == ("/gone.cfg",)


def test_links_out_of_the_tree_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "secret.cfg").write_text("label x\nkernel y\n")
    (tmp_path / "tree/isolinux").mkdir(parents=True)
    link = tmp_path / "tree/isolinux/isolinux.cfg"
    link.symlink_to("../../secret.cfg")
    assert entries(tmp_path / "tree", Firmware.BIOS) is None
    link.unlink()
    link.symlink_to(tmp_path / "secret.cfg")
    assert entries(tmp_path / "tree", Firmware.BIOS) is None
    link.unlink()
    link.symlink_to("isolinux.cfg")
    assert entries(tmp_path / "tree", Firmware.BIOS) is None
