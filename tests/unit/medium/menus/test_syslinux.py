# SPDX-License-Identifier: Apache-2.0
"""SYSLINUX menus: what ``doc/syslinux.txt`` and ``doc/menu.txt`` say of each directive."""

from hypothesis import given
from hypothesis import strategies as st

from liveos.medium.menus.syslinux import parse
from liveos.medium.model import Entry

CFG = "/isolinux/isolinux.cfg"


def entries(menu: str, **files: str) -> tuple[Entry, ...]:
    return parse(menu, CFG, read=lambda path: files.get(path.rpartition("/")[2])).entries


def only(menu: str) -> Entry:
    (entry,) = entries(menu)
    return entry


def test_keywords_ignore_case_and_tabs() -> None:
    entry = only("LABEL\tx\n\tMeNu  LaBeL ^One\n\tKERNEL\tvmlinuz\n\tAPPEND  initrd=i  a  b\n")
    assert (entry.label, entry.title, entry.kernel) == ("x", "One", "/isolinux/vmlinuz")
    assert (entry.initrd, entry.options) == (("/isolinux/i",), ("a", "b"))


def test_append_before_kernel() -> None:
    assert only("label x\nappend a\nkernel /k\n").options == ("a",)


def test_several_initrds_in_one_word() -> None:
    entry = only("label x\nlinux k\nappend initrd=a.img,/boot/b.img,../c.img root=live:LABEL=x\n")
    assert entry.initrd == ("/isolinux/a.img", "/boot/b.img", "/c.img")
    assert entry.options == ("root=live:LABEL=x",)


def test_an_initrd_line_of_its_own() -> None:
    assert only("label x\nlinux k\ninitrd a,b\nappend c\n").initrd == ("/isolinux/a", "/isolinux/b")


def test_quoted_words_keep_their_blanks() -> None:
    entry = only('label x\nkernel k\nappend root="live:LABEL=A B" c\n')
    assert entry.options == ("root=live:LABEL=A B", "c")


def test_a_common_append_and_none() -> None:
    found = entries("append a b\nlabel x\nkernel k\nlabel y\nkernel k\nappend c\n"
                    "label z\nkernel k\nappend -\n")  # fmt: skip
    assert [entry.options for entry in found] == [("a", "b"), ("c",), ()]


def test_paths_end_at_the_root() -> None:
    assert only("label x\nkernel ../../../../etc/k\n").kernel == "/etc/k"


def test_default_by_name_by_mark_by_timeout_or_first() -> None:
    labels = "label a\nkernel k\nlabel b\nkernel k\nlabel c\nkernel k\n"

    def default(menu: str) -> list[str | None]:
        return [entry.label for entry in entries(menu) if entry.default]

    assert default(labels) == ["a"]
    assert default("default b\n" + labels) == ["b"]
    assert default("default b\n" + labels + "menu default\n") == ["c"]
    assert default("default b\nontimeout a\n" + labels + "menu default\n") == ["a"]
    assert default("default vesamenu.c32\n" + labels) == ["a"]
    assert default("default a\nmenu begin x\n" + labels + "menu default\n") == ["a"]


def test_timeouts_are_tenths_of_seconds() -> None:
    assert parse("timeout 100\n", CFG).timeout == 10


def test_submenus_nest_and_end() -> None:
    menu = ("menu begin one\nmenu title ^One\nlabel a\nkernel k\n"
            "menu begin two\nlabel b\nkernel k\nmenu end\nlabel c\nkernel k\nmenu end\n"
            "label d\nkernel k\n")  # fmt: skip
    assert [entry.submenu for entry in entries(menu)] == [("One",), ("One", "two"), ("One",), ()]


def test_what_is_no_linux() -> None:
    found = entries("label a\nlocalboot 0x80\nlabel b\nkernel chain.c32\nappend hd0\n"
                    "label c\ncom32 reboot.c32\nlabel d\nmenu exit\n")  # fmt: skip
    assert [(e.command, e.kernel) for e in found] == [
        ("localboot", None), ("chain.c32", None), ("com32", None),
    ]  # fmt: skip


def test_help_texts_are_no_directives() -> None:
    assert len(entries("label a\nkernel k\ntext help\nlabel b\nkernel k\nendtext\n")) == 1


def test_included_files_and_circles() -> None:
    found = entries("include one.cfg\nmenu include two.cfg\n", **{
        "one.cfg": "label a\nkernel k\n", "two.cfg": "include two.cfg\nlabel b\nkernel k\n",
    })  # fmt: skip
    assert {entry.label for entry in found} == {"a", "b"}
    assert parse("include gone.cfg\n", CFG).missing == ("/isolinux/gone.cfg",)


@given(st.text())
def test_any_text_is_a_menu(menu: str) -> None:
    parse(menu, CFG, read=lambda _: menu)


@given(st.lists(st.sampled_from(
    ["label x", "menu begin", "menu end", "menu default", "kernel mboot.c32", "append a --- b ---",
     "initrd ,", "include x", "text help", "endtext", "localboot", "kernel", "timeout 9"]
)))  # fmt: skip
def test_any_directives_make_a_menu(lines: list[str]) -> None:
    menu = "\n".join(lines)
    found = parse(menu, CFG, read=lambda _: menu)
    assert len([entry for entry in found.entries if entry.default]) == bool(found.entries)


MULTI = """\
default vesamenu.c32
label Rescue
  menu label ^Go to Rescue ~Nested menu
  kernel vesamenu.c32
  append /Rescue/syslinux/syslinux.cfg
label linux
  menu default
  kernel vmlinuz
"""
SUB = """\
label linux
  menu label Start
  menu default
  kernel /Rescue/syslinux/vmlinuz
menu begin ^More
label basic
  kernel other
menu end
label multimain
  menu label Return
  kernel vesamenu.c32
  append /isolinux/isolinux.cfg
"""


def test_a_menu_behind_an_entry_stands_below_its_title() -> None:
    files = {"/Rescue/syslinux/syslinux.cfg": SUB}
    menu = parse(MULTI, CFG, read=files.get)
    found = [(each.submenu, each.title, each.kernel, each.default) for each in menu.entries]
    around = "Go to Rescue ~Nested menu"
    assert found == [
        ((around,), "Start", "/Rescue/syslinux/vmlinuz", False),
        # doc/menu.txt: the directory stays that of the first menu.
        ((around, "More"), "basic", "/isolinux/other", False),
        ((around,), "Return", None, False),
        ((), "linux", "/isolinux/vmlinuz", True),
    ]
    assert [each.menu for each in menu.entries] == [*["/Rescue/syslinux/syslinux.cfg"] * 3, CFG]
    assert menu.missing == ()


def test_a_menu_behind_an_entry_that_is_not_there() -> None:
    menu = parse(MULTI, CFG)
    assert menu.missing == ("/Rescue/syslinux/syslinux.cfg",)
    assert [each.command for each in menu.entries] == ["vesamenu.c32", "kernel"]


def test_menus_that_lead_to_each_other_end() -> None:
    files = {f"/isolinux/{name}": f"label x\nkernel menu.c32\nappend {other}\n"
             for name, other in (("a", "b"), ("b", "a"))}  # fmt: skip
    menu = parse("label x\nkernel menu.c32\nappend a\n", CFG, read=files.get)
    assert [each.options for each in menu.entries] == [("a",)]
