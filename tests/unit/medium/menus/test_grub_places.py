# SPDX-License-Identifier: Apache-2.0
"""Where entries and kernel lines of a menu stand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveos.medium.menus.grub_places import entry_blocks, kernel_lines

MENU = """\
# linux /no rd.live.image
set timeout=5
menuentry 'Start Sam'\\''s' --class x {
  if [ "$grub_platform" = "efi" ]; then
    linuxefi /k root=live:UUID=1 'a b' ${basic}
    initrdefi /i /j
  else
    linux /k root=live:UUID=1 'a b' ${basic}
    initrd /i /j
  fi
}
submenu More {
  menuentry "Two" { linux --x /k2 \\
    quiet; initrd /i2; } # behind
}
menuentry Memtest { linux16 /memtest.bin x }
"""


def test_kernel_lines_with_the_places_of_their_words() -> None:
    lines = kernel_lines(MENU)
    assert [(line.verb, line.kernel.text, line.options) for line in lines] == [
        ("linuxefi", "/k", ("root=live:UUID=1", "a b", "${basic}")),
        ("linux", "/k", ("root=live:UUID=1", "a b", "${basic}")),
        ("linux", "/k2", ("quiet",)),
    ]
    spelled = [[MENU[word.start : word.end] for word in line.words] for line in lines]
    assert spelled == [["root=live:UUID=1", "'a b'", "${basic}"]] * 2 + [["quiet"]]


def test_entries_with_what_they_start() -> None:
    blocks = entry_blocks(MENU)
    assert [(block.title, len(block.lines), block.initrds) for block in blocks] == [
        ("Start Sam's", 2, ("/i", "/j")),
        ("Two", 1, ("/i2",)),
        ("Memtest", 0, ()),
    ]


def test_an_entry_has_its_whole_lines_and_no_others() -> None:
    first, second, last = entry_blocks(MENU)
    text = MENU[first.start : first.end]
    assert text.startswith("menuentry 'Start")
    assert text.endswith("  fi\n}\n")
    assert MENU[second.start : second.end].startswith('  menuentry "Two"')
    assert MENU[second.start : second.end].endswith("; }")  # a comment stands behind
    assert MENU[last.end :] == ""


@pytest.mark.parametrize("word", ["then", "else", "do", "!"])
def test_a_command_may_stand_behind_a_keyword(word: str) -> None:
    (line,) = kernel_lines(f"{word} linux /k a")
    assert line.options == ("a",)
    assert not kernel_lines(f"'{word}' linux /k a")


def test_line_ends_of_dos_are_no_part_of_a_word() -> None:
    (line,) = kernel_lines("linux /k a\r\nboot\r\n")
    assert line.options == ("a",)


@given(st.text(alphabet="linuxmetry{}'\"\\$;# \n/ab=", max_size=200))
def test_any_text_is_read(text: str) -> None:
    for line in kernel_lines(text):
        for word in (line.kernel, *line.words):
            assert 0 <= word.start < word.end <= len(text)
    for block in entry_blocks(text):
        assert 0 <= block.start < block.end <= len(text)
