# SPDX-License-Identifier: Apache-2.0
"""A stick of livecd-iso-to-disk as a whole: which menus start which images, and what is under way.

The menus are written by hand, as livecd-tools.md 2.5 and 2.6 describe them.
"""

from pathlib import Path

import pytest

from liveos.errors import RefusedError
from liveos.host.target import PART_SUFFIX
from liveos.host.volumes import FatVolume
from liveos.medium.directory_tree import DirectoryTree
from liveos.medium.model import MediumKind
from liveos.medium.old_stick import OldStick, read_old_stick, unfinished_findings
from liveos.medium.open_scene import scene_of_directory
from liveos.medium.scene import Scene
from liveos.medium.volume import Volume
from liveos.operations.images.old_layout import removal_steps
from liveos.operations.images.plans import remove_old
from liveos.report import Finding, Severity

STICK = Path("/stick.img")
MIB = 1 << 20
ROOT = "root=live:UUID=5A17-C0DE rd.live.image"
SYSLINUX = f"label linux\n  kernel vmlinuz\n  append initrd=initrd.img {ROOT}\n"
WAY = "label Rescue\n  kernel vesamenu.c32\n  append /Rescue/syslinux/syslinux.cfg\n"
OWN = (
    "menu title Rescue 12\nlabel entry0\n  menu label Start\n  kernel /Rescue/syslinux/vmlinuz\n"
    f"  append initrd=/Rescue/syslinux/initrd.img {ROOT} rd.live.dir=Rescue\n"
)
GRUB = f"menuentry 'Start' {{ linux /syslinux/vmlinuz {ROOT}\n initrd /syslinux/initrd.img\n }}\n"
RESCUE = (
    f"menuentry 'Rescue ~Start' {{ linux /Rescue/syslinux/vmlinuz {ROOT} rd.live.dir=Rescue\n"
    " initrd /Rescue/syslinux/initrd.img\n }\n"
)
LEGACY = f"title Start\n  kernel /syslinux/vmlinuz {ROOT}\n  initrd /syslinux/initrd.img\n"
FILES = {
    "LiveOS/squashfs.img": "hsqs",
    "Rescue/squashfs.img": "hsqs",
    "Rescue/syslinux/vmlinuz": "MZ",
    "Rescue/syslinux/initrd.img": "070701",
    "Rescue/syslinux/syslinux.cfg": OWN,
    "syslinux/vmlinuz": "MZ",
    "syslinux/menu.c32": "",
    "syslinux/syslinux.cfg": SYSLINUX + WAY,
    "EFI/BOOT/grub.cfg": GRUB + RESCUE,
    "EFI/BOOT/BOOT.conf": GRUB + RESCUE,
}


def scene(scratch: Path, **changes: str) -> Scene:
    """A stick with one FAT; ``changes`` take the place of its files."""
    for path, text in {**FILES, **changes}.items():
        place = scratch / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    tree = DirectoryTree(scratch)
    volume = Volume(tree, "vfat", STICK, 4 * MIB, "LIVE", "5A17-C0DE", 64 * MIB)
    return Scene(STICK, MediumKind.DISK, "LIVE", 80 * MIB, (volume,))


def old_stick(scratch: Path, **changes: str) -> OldStick:
    found = read_old_stick(scene(scratch, **changes), None)
    assert found is not None
    return found


def test_each_menu_says_what_it_starts(tmp_path: Path) -> None:
    stick = old_stick(tmp_path, **{"EFI/BOOT/BOOT.conf": GRUB})
    paths = ["/syslinux/syslinux.cfg", "/EFI/BOOT/grub.cfg", "/EFI/BOOT/BOOT.conf"]
    assert [menu.path for menu in stick.menus] == paths
    assert [menu.is_syslinux for menu in stick.menus] == [True, False, False]
    assert [menu.leads_to("rescue") for menu in stick.menus] == [True, True, False]
    assert stick.names == ("LiveOS", "Rescue")
    assert stick.promised("RESCUE") == "Rescue"
    assert stick.module == "menu.c32"
    assert stick.live_volume == FatVolume(STICK, 4 * MIB, 64 * MIB, "LIVE")
    assert stick.esp_volume.size == 0


def test_an_image_that_a_run_has_not_ended_with_is_none_that_is_promised(tmp_path: Path) -> None:
    found = scene(tmp_path, **{"liveos.unfinished/Rescue/x": ""})
    stick = read_old_stick(found, None)
    assert stick is not None
    assert (stick.names, stick.leftovers) == (("LiveOS",), ("Rescue",))
    assert stick.is_marked("rescue")
    assert [each.code for each in unfinished_findings(found)] == ["unfinished-image"]


def test_a_menu_of_the_first_grub_is_not_changed(tmp_path: Path) -> None:
    stick = old_stick(tmp_path, **{"EFI/BOOT/BOOT.conf": LEGACY})
    assert stick.strange == ("/EFI/BOOT/BOOT.conf",)
    assert len(stick.menus) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"EFI/BOOT/grub.cfg": f"# Boot menu of a LiveOS stick.\n{GRUB}"},
        {"syslinux/syslinux.cfg": f"INCLUDE /liveos/LiveOS/syslinux.cfg\n{SYSLINUX}"},
        {
            "syslinux/syslinux.cfg": "label x\n  localboot 0\n",
            "EFI/BOOT/grub.cfg": "",
            "EFI/BOOT/BOOT.conf": "",
        },
    ],
    ids=["our-grub", "our-syslinux", "starts-nothing"],
)
def test_what_is_none(changes: dict[str, str], tmp_path: Path) -> None:
    assert read_old_stick(scene(tmp_path, **changes), None) is None


def test_a_directory_is_none(tmp_path: Path) -> None:
    scene(tmp_path)
    assert read_old_stick(scene_of_directory(tmp_path), None) is None


def test_one_that_is_not_finished_is_refused(tmp_path: Path) -> None:
    whole = scene(tmp_path)
    finding = Finding("unfinished-install", Severity.FATAL, f"ends with {PART_SUFFIX}")
    parts = (whole.path, whole.kind, whole.label, whole.size, whole.volumes)
    with pytest.raises(RefusedError):
        read_old_stick(Scene(*parts, findings=(finding,)), None)


def test_menus_forget_an_image_before_it_goes(tmp_path: Path) -> None:
    plan = remove_old.plan(old_stick(tmp_path), "rescue")
    kinds = [type(step).__name__ for step in plan.steps]
    assert kinds == ["MakeFolder", *["ReplaceMenu"] * 3, *["RemoveFolder"] * 3]
    assert [str(step).rpartition(":")[2] for step in plan.steps[4:]] == [
        "/Rescue with everything in it",
        "/liveos.unfinished/Rescue with everything in it",
        "/liveos.unfinished with everything in it",
    ]
    assert plan.destroys == ("the image Rescue and everything in /Rescue on /stick.img",)


def test_what_lies_beside_a_menu_that_is_changed_already_goes(tmp_path: Path) -> None:
    changes = {"EFI/BOOT/BOOT.conf": GRUB, "EFI/BOOT/BOOT.conf.new": RESCUE}
    steps = [str(step) for step in removal_steps(old_stick(tmp_path, **changes), "Rescue")]
    assert "remove /stick.img:/EFI/BOOT/BOOT.conf.new" in steps


def test_the_first_image_stays(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="lies in /syslinux"):
        remove_old.plan(old_stick(tmp_path), "LiveOS")
