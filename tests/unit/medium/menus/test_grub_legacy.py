# SPDX-License-Identifier: Apache-2.0
"""Menus of GRUB 0.97, as its manual describes them."""

from hypothesis import given
from hypothesis import strategies as st

from liveos.medium.menus.grub_legacy import parse

CONF = "/EFI/boot/grub.conf"
MENU = """\
# default 5
default=1
timeout 7
title One
  root (hd0,0)
  kernel (hd0,0)/boot/vmlinuz0 --no-mem-option root=live:LABEL=x ro
  initrd /boot/initrd0.img
title Two
\tkernel /xen.gz dom0_mem=1
\tmodule /vmlinuz root=/dev/x
\tmodule /initrd.img
title Three
  chainloader +1
"""


def test_entries() -> None:
    menu = parse(MENU, CONF)
    one, two, three = menu.entries
    assert menu.timeout == 7
    assert (one.kernel, one.initrd) == ("/boot/vmlinuz0", ("/boot/initrd0.img",))
    assert one.options == ("root=live:LABEL=x", "ro")
    assert (two.hypervisor, two.hypervisor_options) == ("/xen.gz", ("dom0_mem=1",))
    assert (two.kernel, two.options, two.initrd) == ("/vmlinuz", ("root=/dev/x",), ("/initrd.img",))
    assert (three.kernel, three.command, three.options) == (None, "chainloader", ("+1",))
    assert [entry.default for entry in menu.entries] == [False, True, False]


def test_a_default_that_is_saved_is_the_first() -> None:
    assert parse("default saved\ntitle a\nkernel /k\n", CONF).entries[0].default


@given(st.text())
def test_any_text_is_a_menu(menu: str) -> None:
    parse(menu, CONF)
    parse("title x\n" + menu, CONF)
