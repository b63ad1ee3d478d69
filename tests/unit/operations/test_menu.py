# SPDX-License-Identifier: Apache-2.0
"""The text of menus; that GRUB takes it is shown by grub-script-check and by the boots."""

import pytest

from liveos.operations.menus.text import MenuEntry, image_menu, quote, stick_menu

ENTRY = MenuEntry(
    "Start Sam's & Co", "/liveos/A/vmlinuz", ("/liveos/A/initrd",), ("rw", "a b", "$x")
)


def test_each_image_has_one_line() -> None:
    one = stick_menu(("A",), "1A2B-3C4D", 5)
    two = stick_menu(("A", "B"), "1A2B-3C4D", 5)
    assert set(two.splitlines()) - set(one.splitlines()) == {"source ($root)/liveos/B/menu.cfg"}
    assert "search --no-floppy --fs-uuid --set=root 1A2B-3C4D\n" in one


def test_an_entry() -> None:
    assert image_menu((ENTRY,), "linux") == (
        "menuentry 'Start Sam'\\''s & Co' {\n"
        "  linux /liveos/A/vmlinuz rw 'a b' '$x'\n"
        "  initrd /liveos/A/initrd\n"
        "}\n"
    )


def test_an_old_grub_has_its_own_verbs_under_uefi_only() -> None:
    assert image_menu((ENTRY,), "linuxefi").splitlines()[1:-1] == [
        '  if [ "$grub_platform" = "efi" ]; then',
        "    linuxefi /liveos/A/vmlinuz rw 'a b' '$x'",
        "    initrdefi /liveos/A/initrd",
        "  else",
        "    linux /liveos/A/vmlinuz rw 'a b' '$x'",
        "    initrd /liveos/A/initrd",
        "  fi",
    ]


@pytest.mark.parametrize("title", ["a\nb", "a\x1b[2Jb", "a\u202eb"])
def test_a_hostile_title_cannot_leave_its_line(title: str) -> None:
    first = image_menu((MenuEntry(title, "/k", (), ()),), "linux").splitlines()[0]
    assert first.startswith("menuentry 'a ")
    assert first.endswith("b' {")


@pytest.mark.parametrize("word", ["", "a b", "a;b", "a'b", 'a"b', "a$b", "a{b", "a\\b", "#a"])
def test_words_that_the_shell_of_grub_would_change_are_quoted(word: str) -> None:
    assert quote(word).startswith("'")
