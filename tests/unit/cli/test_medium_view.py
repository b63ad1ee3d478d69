# SPDX-License-Identifier: Apache-2.0
"""What a person reads of a medium, on facts that are made up."""

import io
from dataclasses import replace

from rich.console import Console

from liveos.cli.medium_view import medium_view
from liveos.medium.model import Container, Medium, Overlay, PersistenceKind, Store
from tests.unit.cli.media import IMAGE, NESTED_ISO, NESTED_ROOT, STICK


def text(medium: Medium, *, verbose: bool = False, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width, markup=False, highlight=False)
    for part in medium_view(medium, verbose=verbose):
        console.print(part)
    stream = console.file
    assert isinstance(stream, io.StringIO)
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def squeezed(medium: Medium, *, verbose: bool = False) -> list[str]:
    """Wide lines with single blanks: what is said, without where the columns are."""
    return [" ".join(line.split()) for line in text(medium, verbose=verbose, width=400)]


def test_layers_stand_below_each_other_with_their_sizes_side_by_side() -> None:
    lines = squeezed(NESTED_ISO)
    start = lines.index("layer format apparent used stored")
    assert lines[start + 1 : start + 4] == [
        "the medium ISO 9660 image - - 1.7 GiB",
        "└─ /LiveOS/squashfs.img squashfs, xz - - 1.6 GiB",
        '└─ /LiveOS/rootfs.img ext4 "Anaconda" 6.4 GiB 4.9 GiB 1.6 GiB',
    ]


def test_what_df_will_say_is_explained() -> None:
    """The wiki page's example: 6.4 GiB with 1.5 GiB free, stored in 1.6 GiB."""
    remark = next(line for line in squeezed(NESTED_ISO) if line.startswith("df "))
    assert "6.4 GiB with 1.5 GiB free" in remark
    assert "1.6 GiB" in remark


def test_an_uncompressed_root_needs_no_remark_on_df() -> None:
    root = replace(NESTED_ROOT, container=Container.NONE, nested=None)
    medium = replace(NESTED_ISO, images=(replace(IMAGE, root=root),))
    assert not any(line.startswith("df ") for line in squeezed(medium))


def test_defaults_are_marked_and_submenus_named() -> None:
    lines = squeezed(NESTED_ISO)
    marked = [line for line in lines if line.startswith("* ")]
    assert marked == [
        "* bios Test this media & start /isolinux/vmlinuz, after a media check",
        "* uefi Start Fedora-Workstation-Live 28 /isolinux/vmlinuz",
    ]
    assert any("Troubleshooting > Start in basic graphics mode" in line for line in lines)


def test_every_kind_of_persistence_is_answered_with_its_reason() -> None:
    lines = squeezed(NESTED_ISO)
    assert "snapshot yes" in lines
    assert "directory no dracut 047 knows no OverlayFS; 048 was the first that did" in lines


def test_firmware_loaders_and_signers() -> None:
    lines = squeezed(NESTED_ISO)
    assert "Firmware BIOS, UEFI x64, UEFI ia32, Secure Boot" in lines
    shim = "/EFI/BOOT/BOOTX64.EFI uefi x64 shim Microsoft Corporation UEFI CA 2011"
    assert shim in lines


def test_kernels_and_what_starts_with_them() -> None:
    lines = squeezed(NESTED_ISO)
    assert "/isolinux/vmlinuz 8 MiB 4.16.3-301.fc28.x86_64 Fedora" in lines
    assert "/isolinux/initrd.img 40 MiB 4.16.3-301.fc28.x86_64 dracut 047" in lines


def test_warnings_come_last() -> None:
    last = text(NESTED_ISO)[-1]
    assert last == "warning: the menu names a file that is not there"


def test_more_is_said_on_request() -> None:
    assert not any("rd.live.image" in line for line in squeezed(NESTED_ISO))
    lines = squeezed(NESTED_ISO, verbose=True)
    assert any("rd.live.image quiet" in line for line in lines)
    assert any("dracut 047: bash, dmsquash-live, livenet" in line for line in lines)


def test_a_stick_shows_partitions_and_what_lies_beside_the_root() -> None:
    lines = squeezed(STICK)
    assert "2 ESP EFI system vfat ESP 512 MiB" in lines
    assert "├─ overlay snapshot, blank - - 2 GiB" in lines
    assert "└─ home encrypted - - 1 GiB" in lines
    assert "overlay: /LiveOS/overlay-LIVE-0b1c2d3e" in lines


def test_nothing_is_wider_than_the_terminal() -> None:
    for medium in (NESTED_ISO, STICK):
        assert max(map(len, text(medium, verbose=True))) <= 80


def test_text_from_the_medium_is_shown_as_text() -> None:
    medium = replace(NESTED_ISO, label="[red]\x1b[31m\nx", warnings=())
    assert '"[red]\\x1b[31m\\nx"' in squeezed(medium)[1]


def test_memory_of_every_kind() -> None:
    image = replace(
        IMAGE,
        overlay=Overlay(PersistenceKind.DIRECT, "/LiveOS/rootfs.img", 1 << 30),
        home=Store("partition 4", 1 << 30, encrypted=False, filesystem="ext4", partition=4),
        swap=Store("/LiveOS/swap.img", 1 << 26, False, "swap", None, "a-uuid"),
    )
    lines = squeezed(replace(STICK, images=(image,)))
    for line in (
        "├─ overlay direct: the root itself - - -",
        "├─ home plain, ext4 - - 1 GiB",
        "└─ swap swap - - 64 MiB",
        "home: partition 4",
        "swap: /LiveOS/swap.img (UUID a-uuid)",
    ):
        assert line in lines
    unknown = replace(image, home=Store("/LiveOS/home.img", 1 << 20))
    assert "├─ home unknown - - 1 MiB" in squeezed(replace(STICK, images=(unknown,)))
