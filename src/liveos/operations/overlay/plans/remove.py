# SPDX-License-Identifier: Apache-2.0
"""The plan of ``overlay remove``: the menu first forgets the overlay, then it is deleted.

A cut in between leaves a stick that starts without memory, and an overlay that nothing uses.
"""

import shlex
from dataclasses import replace

from liveos.errors import RefusedError, UnsupportedError
from liveos.host.folders.folder import FolderFile
from liveos.host.tools import DEBUGFS, MTOOLS
from liveos.medium.bootline import boot_options
from liveos.medium.installation import Installation
from liveos.medium.model import Overlay, PersistenceKind
from liveos.operations.overlay.plans.words import changes_of_words, require_menus, rubbish
from liveos.operations.plan import Plan
from liveos.operations.steps.menus import MenuStep
from liveos.operations.steps.whole_overlay import RemoveOverlay
from liveos.sizes import format_size


def plan(found: Installation) -> Plan:
    """Delete the image's overlay, with every change in it; a home of its own stays.

    :raises RefusedError: there is none, or the changes are not in an overlay.
    :raises UnsupportedError: nobody but the owner of its menu can make it forget the overlay.
    """
    overlay = found.image.overlay
    if overlay is not None and overlay.kind is PersistenceKind.DIRECT:
        raise RefusedError(
            f"{found.image.name} has no overlay: it writes its changes into {overlay.path}",
            hint="install it anew to have it as it was",
        )
    require_menus(found)
    words, left = _words(found), rubbish(found)
    if overlay is None and not words and not left:
        raise RefusedError(
            f"{found.image.name} has no overlay",
            hint=f"liveos overlay create {shlex.quote(found.spec)} makes one",
        )
    gone: tuple[RemoveOverlay, ...] = ()
    if overlay is not None:
        gone = (RemoveOverlay(_place(found, overlay), overlay.kind),)
    elif left:
        gone = (RemoveOverlay(found.overlay_place, PersistenceKind.DIRECTORY),)
    return Plan(
        title=f"remove the overlay of {found.image.name}",
        steps=(*words, *gone),
        destroys=() if overlay is None else (_loss(found, overlay),),
        notes=(*_notes(found), *left),
        needs=(DEBUGFS, MTOOLS),
    )


def _words(found: Installation) -> tuple[MenuStep, ...]:
    """The steps by which the menu forgets the overlay."""
    if found.menu is not None or found.owners.problem is None:
        forgetful = replace(found.installed, overlay=None, readonly=False)
        return changes_of_words(found, forgetful, None)
    if found.installed.overlay is not None:
        with_it = boot_options((), found.installed)
        without = boot_options((), replace(found.installed, overlay=None, readonly=False))
        words = " ".join(word for word in with_it if word not in without)
        raise UnsupportedError(
            f"{found.spec} was not made by liveos, and its boot menu is its owner's to change:"
            f" {found.owners.problem}",
            hint=f"remove from the kernel lines of its boot entries: {words}; then try again",
        )
    return ()


def _place(found: Installation, overlay: Overlay) -> FolderFile:
    return FolderFile(found.folder, overlay.path.rpartition("/")[2])


def _loss(found: Installation, overlay: Overlay) -> str:
    size = "" if overlay.size is None else f" ({format_size(overlay.size)})"
    return f"every change kept in {_place(found, overlay)}{size}"


def _notes(found: Installation) -> tuple[str, ...]:
    if found.image.home is None:
        return ()
    return (f"the home {found.image.home.path} stays",)
