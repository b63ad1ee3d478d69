# SPDX-License-Identifier: Apache-2.0
"""Kernel arguments put into menus of every dialect (the kernel lines are those of images.md 1)."""

import pytest

from liveos.operations.guests.kernel_words import edit_menu, has_kernel_line

WORDS = ("console=ttyS0", "mark")


def test_a_grub_menu_gets_the_words_on_each_kernel_line() -> None:
    menu = (
        'set default="1"\n'
        "set timeout=60\n"
        "search --no-floppy --set=root -l 'Fedora-WS-Live-36-1-5'\n"
        "menuentry 'Start' --class os {\n"
        "\tlinuxefi /images/pxeboot/vmlinuz root=live:CDLABEL=F-36 rd.live.image quiet rhgb\n"
        "\tinitrdefi /images/pxeboot/initrd.img\n"
        "}\n"
        "menuentry 'Test' {\n"
        "\tlinuxefi /images/pxeboot/vmlinuz root=live:CDLABEL=F-36 rd.live.image rd.live.check "
        "quiet\n}\n"
    )
    assert edit_menu(menu, WORDS) == (
        'set default="1"\n'
        "set timeout=1\n"
        "search --no-floppy --set=root -l 'Fedora-WS-Live-36-1-5'\n"
        "menuentry 'Start' --class os {\n"
        "\tlinuxefi /images/pxeboot/vmlinuz console=ttyS0 mark root=live:CDLABEL=F-36 "
        "rd.live.image\n"
        "\tinitrdefi /images/pxeboot/initrd.img\n"
        "}\n"
        "menuentry 'Test' {\n"
        "\tlinuxefi /images/pxeboot/vmlinuz console=ttyS0 mark root=live:CDLABEL=F-36 "
        "rd.live.image\n}\n"
    )


@pytest.mark.parametrize(
    ("line", "edited"),
    [
        (  # kiwi: paths behind ($root), two blanks
            "linux ($root)/boot/x86_64/loader/linux quiet rhgb  root=live:CDLABEL=X rd.live.image",
            (
                "linux ($root)/boot/x86_64/loader/linux  console=ttyS0 mark root=live:CDLABEL=X "
                "rd.live.image"
            ),
        ),
        (  # isolinux, Fedora 8 to 17: the check is one plain word
            "append initrd=initrd0.img root=live:CDLABEL=X ro liveimg quiet rhgb check",
            "append initrd=initrd0.img console=ttyS0 mark root=live:CDLABEL=X ro liveimg",
        ),
        (  # legacy GRUB
            "kernel /EFI/boot/vmlinuz0 root=live:LABEL=X quiet",
            "kernel /EFI/boot/vmlinuz0 console=ttyS0 mark root=live:LABEL=X",
        ),
        (  # the boot loader specification
            "options root=live:UUID=1 rd.live.image",
            "options console=ttyS0 mark root=live:UUID=1 rd.live.image",
        ),
        (  # words in a variable
            'set args="root=live:UUID=1 quiet"',
            'set args="console=ttyS0 mark root=live:UUID=1"',
        ),
        (  # another console must not take the place of ours
            "linux /k console=tty1 root=live:X console=hvc0 loglevel=3",
            "linux /k console=ttyS0 mark root=live:X",
        ),
    ],
)
def test_each_dialect(line: str, edited: str) -> None:
    assert edit_menu(line, WORDS) == edited


@pytest.mark.parametrize(
    "line",
    [
        "set root=(hd0,1)",
        "search --no-floppy --fs-uuid --set=root 1234-ABCD",
        "configfile ($root)/boot/grub2/grub.cfg",
        "menu label Boot from ^local drive",
        "linux /memtest86+",
        "set timeout_style=hidden",
    ],
)
def test_other_lines_stay_as_they_are(line: str) -> None:
    assert edit_menu(line, WORDS) == line
    assert not has_kernel_line(line)


@pytest.mark.parametrize(
    ("line", "edited"),
    [
        ("timeout 600", "timeout 1"),
        ("TIMEOUT 100", "TIMEOUT 1"),
        ("  set timeout=10", "  set timeout=1"),
        ('set timeout="5"', "set timeout=1"),
        ("timeout=8", "timeout=1"),
    ],
)
def test_nobody_waits_at_the_menu(line: str, edited: str) -> None:
    assert edit_menu(line, WORDS) == edited


def test_an_overlay_that_is_only_read_becomes_writable_in_as_many_bytes() -> None:
    line = "linux /k root=live:UUID=1 rd.live.overlay.readonly rd.overlay.readonly rw readonly"
    assert edit_menu(line, (), writable=True) == (
        "linux /k root=live:UUID=1 rd.live.overlay.writable rd.overlay.writable rw readonly"
    )
    assert edit_menu(line, ()) == line
