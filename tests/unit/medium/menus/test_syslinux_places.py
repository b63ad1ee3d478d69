# SPDX-License-Identifier: Apache-2.0
"""Where the words of SYSLINUX menus stand: what doc/syslinux.txt says of ``append``."""

from hypothesis import given
from hypothesis import strategies as st

from liveos.medium.menus.syslinux_places import append_lines

MENU = """\
append for all
label linux\r
  menu label ^Start
  kernel vmlinuz\r
\tAPPEND  initrd=i.img root=live:UUID=1  "a  b" quiet \r
  text help
  append is a word of help
  endtext
menu begin
  append none
label basic
  append x
"""


def test_lines_and_words() -> None:
    first, second = append_lines(MENU)
    assert first.options == ("initrd=i.img", "root=live:UUID=1", "a  b", "quiet")
    spelled = [MENU[word.start : word.end] for word in (first.kernel, *first.words)]
    assert spelled == ["APPEND", "initrd=i.img", "root=live:UUID=1", '"a  b"', "quiet"]
    assert second.options == ("x",)


@given(st.text(alphabet='labelappend \t\n\r"x=#', max_size=200))
def test_places_are_those_of_the_words(menu: str) -> None:
    for line in append_lines(menu):
        assert menu[line.kernel.start : line.kernel.end].lower() == "append"
        for word in line.words:
            assert menu[word.start : word.end].replace('"', "") == word.text
