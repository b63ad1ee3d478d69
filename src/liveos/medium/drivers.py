# SPDX-License-Identifier: Apache-2.0
"""Which kernel modules an initramfs has, loadable or built into its kernel.

dracut takes ``modules.builtin`` along, in which kbuild lists what is built in.
"""

import re
from pathlib import PurePosixPath

from liveos.formats.binary import ExtentSource, FileSource, FormatError, Window
from liveos.medium.initramfs import each_member
from liveos.medium.model import FileRef, Image

_MODULE = re.compile(r"(?:usr/)?lib/modules/[^/]+/.*\.ko(?:\.\w+)?")
_BUILT_IN = re.compile(r"(?:usr/)?lib/modules/[^/]+/modules\.builtin")
_LARGEST_LIST = 1 << 20
_MOST_READ = 512 << 20


def drivers_of(image: Image) -> frozenset[str] | None:
    """Names of modules, with ``_`` where a file name has ``-``; None when no module can be seen."""
    names: set[str] = set()
    for initramfs in image.initramfs:
        try:
            names |= _drivers_in(initramfs.file)
        except FormatError:
            continue
    return frozenset(names) or None


def _drivers_in(file: FileRef) -> set[str]:
    names: set[str] = set()
    if file.extents is None:
        return names
    with FileSource(file.container) as container:
        source = Window(ExtentSource(container, file.extents), 0, file.size)
        for member, reader in each_member(source, _MOST_READ):
            if _MODULE.fullmatch(member.name):
                names.add(_module_name(member.name))
            elif _BUILT_IN.fullmatch(member.name):
                lines = reader.read(_LARGEST_LIST).decode("utf-8", "replace").split()
                names |= set(map(_module_name, lines))
    return names


def _module_name(path: str) -> str:
    return PurePosixPath(path).name.partition(".ko")[0].replace("-", "_")
