# SPDX-License-Identifier: Apache-2.0
"""The menu of an image under another name: paths of boot files, and words that name its directory.

Pure; what does not name the image keeps every byte, but that each kernel line says by
``rd.live.dir`` which directory it means.
"""

import re

from liveos.medium.home.words import LIVE_DEVICE
from liveos.medium.installed import DEFAULT_DIRECTORY
from liveos.medium.menus.grub_places import kernel_lines
from liveos.operations.menus.change import rewritten
from liveos.operations.menus.text import image_directory

_DIRECTORY_WORDS = frozenset({"rd.live.dir", "live_dir"})


def renamed_menu(text: str, old: str, new: str, spellings: tuple[str, ...]) -> str:
    """The menu of the image ``old`` when it is called ``new``.

    :param spellings: the names of the word by which its initramfs is told the directory.
    """
    for line in reversed(kernel_lines(text)):
        if any(word.startswith("root=") for word in line.options):
            text = rewritten(text, line, renamed_words(line.options, old, new, spellings))
    text = text.replace(f"{image_directory(old)}/", f"{image_directory(new)}/")
    return text.replace(f" [{old}]", f" [{new}]")


def renamed_words(
    words: tuple[str, ...], old: str, new: str, spellings: tuple[str, ...]
) -> tuple[str, ...]:
    """Words of a kernel line for the directory ``new``."""
    kept = [renamed_word(word, old, new) for word in words if not _is_directory(word)]
    if new != DEFAULT_DIRECTORY:
        rw = kept.index("rw") + 1 if "rw" in kept else len(kept)
        kept[rw:rw] = [f"{name}={new}" for name in spellings]
    return tuple(kept)


def renamed_word(word: str, old: str, new: str) -> str:
    """A word in which the path of the image's directory may stand.

    That begins a value (``liveos.home=/OLD/…``), follows a device (``UUID=…:/OLD/…``), or the
    place where the stick is mounted.
    """
    name, _, value = word.partition("=")
    if not value or name == "root":
        return word
    begins = rf"(?:^|(?<=:))/{re.escape(old)}/"
    mounted = value.replace(f"{LIVE_DEVICE}/{old}/", f"{LIVE_DEVICE}/{new}/")
    return f"{name}={re.sub(begins, f'/{new}/', mounted)}"


def _is_directory(word: str) -> bool:
    return word.partition("=")[0] in _DIRECTORY_WORDS
