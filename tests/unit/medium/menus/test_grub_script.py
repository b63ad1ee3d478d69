# SPDX-License-Identifier: Apache-2.0
"""GRUB's language: words as ``grub-script-check`` and the manual would cut them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveos.medium.menus import grub
from liveos.medium.menus.grub_script import Command, Conditional, parse
from liveos.medium.model import Firmware


def words(script: str) -> list[str]:
    (command,) = parse(script)
    assert isinstance(command, Command)
    return [str(word) for word in command.words]


def test_quotes_and_escapes() -> None:
    script = r"""echo 'a "b"' "c 'd' \"e\"" f\ g h"i j"k A\x20B '' """
    assert words(script) == [
        "echo", 'a "b"', "c 'd' \"e\"", "f g", "hi jk", r"A\x20B", "",
    ]  # fmt: skip


def test_comments_and_continuation() -> None:
    assert words("# nothing\n  echo a#b \\\n  c # d") == ["echo", "a#b", "c"]


def test_variables_stay_as_written_and_expand() -> None:
    (command,) = parse('linux ($root)/${d}/k "$a b"')
    assert isinstance(command, Command)
    assert [str(word) for word in command.words] == ["linux", "($root)/${d}/k", "$a b"]
    values = {"d": "boot", "a": "1"}
    assert [word.expand(values) for word in command.words] == ["linux", "()/boot/k", "1 b"]


def test_blocks_nest() -> None:
    (submenu,) = parse("submenu x { menuentry y { linux z; } }")
    assert isinstance(submenu, Command)
    assert submenu.block is not None
    (entry,) = submenu.block
    assert isinstance(entry, Command)
    assert entry.name == "menuentry"
    assert entry.block is not None
    assert len(entry.block) == 1


def test_conditions() -> None:
    (condition,) = parse("if a; then b\nelif c; then d; else e; fi")
    assert isinstance(condition, Conditional)
    assert len(condition.branches) == 2
    assert len(condition.otherwise) == 1


@given(st.text())
def test_any_text_is_read(script: str) -> None:
    parse(script)


@given(st.lists(st.sampled_from(
    ["if ", "then ", "fi ", "else ", "menuentry ", "submenu x ", "{ ", "} ", "\n", ";", "'", '"',
     "$", "${", "\\", "linux /a b", "set a=$a$a", "[ ", "] ", "source /x", "configfile /x", "&& "]
)))  # fmt: skip
def test_any_tokens_make_a_menu(pieces: list[str]) -> None:
    script = "".join(pieces)
    grub.parse(script, "/g.cfg", firmware=Firmware.UEFI, read=lambda _: script)


@pytest.mark.parametrize(
    "piece", ["submenu x { ", "if a; then ", "menuentry x { ", "for a in b; do "]
)
def test_deep_nesting_ends(piece: str) -> None:
    script = piece * 20_000
    grub.parse(script, "/g.cfg", firmware=Firmware.UEFI, read=lambda _: script)


def test_files_that_name_each_other_end() -> None:
    script = "source /a\nconfigfile /b\nmenuentry x { linux /k }\n"
    menu = grub.parse(script, "/g.cfg", firmware=Firmware.BIOS, read=lambda _: script)
    assert menu.entries
