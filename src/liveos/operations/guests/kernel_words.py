# SPDX-License-Identifier: Apache-2.0
"""Adds kernel arguments to a boot menu of any dialect, for one boot that is watched.

Every dialect (GRUB 2, legacy GRUB, syslinux, boot loader specification) writes a kernel line
whose words include ``root=``, so the menus need no parsing: words are put in front of that one.
"""

import re

# A root shell waits on the second serial port, where no console writes into its answers. The unit
# is systemd's own debug-shell.service: no password, getty, or file of the image takes part in it.
# systemd-debug-generator takes a terminal's name here since systemd 243 (Fedora 31, Debian 11) and
# ignores it before; ``systemd.default_debug_tty=`` exists only since 253. The other ways that were
# looked at do less: ``systemd.run=`` boots to another target, credentials in SMBIOS need 252 and
# later, and ``rd.break`` stops in an initramfs whose root account may be locked.
# The console goes to the first port, so that a log shows how far a boot came.
PROOF_WORDS = (
    "console=tty0",
    "console=ttyS0,115200",
    "systemd.debug_shell=ttyS1",
    "systemd.show_status=1",
)
"""For a boot that is watched and asked."""

CONSOLE_WORDS = ("console=tty0", "console=ttyS0,115200")
"""For a boot that a person follows on the serial console."""

# quiet, rhgb and splash hide the progress that is to be seen; the media check would find the very
# words that are added here, and another console= could take the place of ours.
_DROPPED = re.compile(
    r"[ \t]+(?:quiet|rhgb|splash|check|rd\.live\.check|console=\S+|loglevel=\d+)(?=[\s\"']|$)"
)
_ROOT = re.compile(r"(?<=[\s\"'])root=")
# A GRUB script's variable ``root`` is a device of the loader, not a word for the kernel.
_LOADER_ROOT = re.compile(r"^\s*(?:set|export|unset)\s+root\b")
_TIMEOUT = re.compile(
    r"^([ \t]*(?:set[ \t]+)?timeout[ \t]*[= \t][ \t]*)\"?\d+\"?[ \t]*$",
    re.MULTILINE | re.IGNORECASE,
)
# As liveos itself writes it, and livecd-iso-to-disk leaves it; other media start as they will.
_DEFAULT = re.compile(r"""^[ \t]*set[ \t]+default=["']?\d{1,2}["']?[ \t]*$""", re.MULTILINE)


# A word that no dracut reads, as long as the one that it stands for: a file keeps its place then.
_READ_ONLY = re.compile(r"(?<=overlay\.)readonly(?=[\s\"']|$)")
_WRITABLE = "writable"


def edit_menu(
    text: str, words: tuple[str, ...], entry: int | None = None, *, writable: bool = False
) -> str:
    """The menu with ``words`` on every kernel line, and without its waiting time.

    ``entry``, counted from 0, is what the menu of a stick of ours starts by itself then. With
    ``writable`` no line says that its overlay is only read. A text without a kernel line comes back
    with at most its waiting time and its default changed.
    """
    if entry is not None:
        text = _DEFAULT.sub(f"set default={entry}", text)
    if writable:
        text = _READ_ONLY.sub(_WRITABLE, text)
    lines = [_edit_line(line, words) for line in text.split("\n")]
    # One second in GRUB; a tenth in syslinux, where 0 would mean to wait for ever.
    return _TIMEOUT.sub(r"\g<1>1", "\n".join(lines))


def has_kernel_line(text: str) -> bool:
    """Whether a text starts a kernel, that is, whether arguments can be added to it."""
    return any(_is_kernel_line(line) for line in text.split("\n"))


def _is_kernel_line(line: str) -> bool:
    return bool(_ROOT.search(line)) and not _LOADER_ROOT.match(line)


def _edit_line(line: str, words: tuple[str, ...]) -> str:
    if not words or not _is_kernel_line(line):
        return line
    return _ROOT.sub(" ".join((*words, "root=")), _DROPPED.sub("", line), count=1)
