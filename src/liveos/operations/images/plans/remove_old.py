# SPDX-License-Identifier: Apache-2.0
"""The plan of ``remove`` for a stick of livecd-iso-to-disk: the menus first forget the image."""

from collections.abc import Iterator

from liveos.errors import RefusedError
from liveos.host.tools import DEBUGFS, MTOOLS
from liveos.medium.model import Image
from liveos.medium.old_stick import LOADER_DIRECTORY, OldStick
from liveos.medium.stick import require_image
from liveos.operations.images.old_layout import removal_steps
from liveos.operations.images.plans.remove import losses, other_names
from liveos.operations.plan import Plan


def plan(stick: OldStick, name: str | None, *, force: bool = False) -> Plan:
    """Remove an image with its memory, or what a run that was cut off has left of one.

    :raises UsageError: there is no such image, or none is named where there are several.
    :raises RefusedError: its boot files lie beside the loader, or it is the last one.
    :raises UnsupportedError: the menus are more than plain lists of entries.
    """
    left = _leftover(stick, name)
    if left is None:
        name = require_image(stick, name)
        _require_own_boot_files(stick, name)
        other_names(stick, name, force=force)
    else:
        name = left
    return Plan(
        title=f"remove {name} from {stick.path}",
        steps=tuple(removal_steps(stick, name)),
        destroys=tuple(losses(stick, name, stick.image(name))),
        notes=tuple(_notes(stick, name)),
        needs=(DEBUGFS, MTOOLS),
        when_it_fails="the same command, given again, goes on",
    )


def _leftover(stick: OldStick, name: str | None) -> str | None:
    if name is None:
        return None
    return next((each for each in stick.leftovers if each.casefold() == name.casefold()), None)


def _require_own_boot_files(stick: OldStick, name: str) -> None:
    image = stick.image(name)
    if image is not None and any(not _is_below(path, name) for path in _boot_files(image)):
        raise RefusedError(
            f"the kernel of {name} lies in {LOADER_DIRECTORY}, with the boot loader that starts"
            f" every image of {stick.path}",
            hint="the first image of such a stick stays as long as the stick does",
        )


def _boot_files(image: Image) -> Iterator[str]:
    yield from (kernel.file.path for kernel in image.kernels)
    yield from (initramfs.file.path for initramfs in image.initramfs)


def _is_below(path: str, name: str) -> bool:
    return path.casefold().startswith(f"/{name}/".casefold())


def _notes(stick: OldStick, name: str) -> Iterator[str]:
    for path in stick.strange:
        yield f"{path} is a menu of the first GRUB: it stays as it is, and may still offer {name}"
    image = stick.image(name)
    if image is not None and any(entry.default for entry in image.entries):
        yield "the first entry that is left starts by itself then"
    yield "the boot loaders stay"
