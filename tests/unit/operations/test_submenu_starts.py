# SPDX-License-Identifier: Apache-2.0
"""An image whose menu another one shows is started by both, in the words of SYSLINUX."""

from pathlib import Path

from liveos.operations.guests.submenu_starts import submenu_starts

ROOT = "root=live:UUID=5A17-C0DE rd.live.image"
MAIN = f"""\
label linux
  kernel vmlinuz
  append {ROOT}
label Rescue
  menu label ^Go to Rescue
  kernel vesamenu.c32
  append /Rescue/syslinux/syslinux.cfg
"""
OWN = f"""\
label entry0
  kernel /Rescue/syslinux/vmlinuz
  append {ROOT} rd.live.dir=Rescue
label entry1
  kernel /Rescue/syslinux/vmlinuz
  append {ROOT} rd.live.dir=Rescue rd.live.overlay.reset
"""


def test_lines_for_both_menus(tmp_path: Path) -> None:
    for path, text in (("syslinux", MAIN), ("Rescue/syslinux", OWN)):
        (tmp_path / path).mkdir(parents=True)
        (tmp_path / path / "syslinux.cfg").write_text(text)
    main, own = "/syslinux/syslinux.cfg", "/rescue/syslinux/syslinux.cfg"
    assert submenu_starts(tmp_path, 2) == {
        main: "\ntimeout 1\nontimeout Rescue\n",
        own: "\ntimeout 1\nontimeout entry1\n",
    }
    assert submenu_starts(tmp_path, 0) == submenu_starts(tmp_path, None) == {}
    assert submenu_starts(tmp_path, 7) == {}
