# SPDX-License-Identifier: Apache-2.0
"""An overlay turned into one of another kind, so that a cut at any point leaves one with it all."""

from typing import assert_never

from liveos.errors import UnsupportedError
from liveos.host.folders.directories import directory_names, keep_private, remove_tree
from liveos.host.folders.ext4_folder import Ext4Folder
from liveos.host.folders.ext4_names import exchange_names
from liveos.host.folders.folder import Folder
from liveos.medium.model import PersistenceKind
from liveos.operations.overlay.perform.convert_store import write_store
from liveos.operations.overlay.perform.convert_upper import write_directory, write_image
from liveos.operations.overlay.sound import damage_named, kept_from_others
from liveos.operations.steps.convert import (
    ConvertStep,
    MakeConverted,
    RemoveConverted,
    TakePlace,
)
from liveos.operations.steps.whole_overlay import unused
from liveos.report import Reporter


def perform_convert_step(step: ConvertStep, reporter: Reporter) -> None:
    """Do one step; ``liveos.operations.execute`` alone calls this."""
    match step:
        case MakeConverted():
            _make(step, reporter)
        case TakePlace():
            _take_place(step)
        case RemoveConverted():
            with step.place.hold():
                _remove(step.place.folder, step.names)
        case _:
            assert_never(step)


def _make(step: MakeConverted, reporter: Reporter) -> None:
    place = step.subject.place
    with damage_named(place), kept_from_others(place):
        _remove(place.folder, step.leftovers)
        with step.subject.opened() as overlay:
            match step.to:
                case PersistenceKind.DIRECTORY:
                    write_directory(overlay, step.place, reporter)
                case PersistenceKind.IMAGE:
                    assert step.size is not None
                    write_image(overlay, step.place, step.size, reporter)
                case PersistenceKind.SNAPSHOT:
                    assert step.size is not None
                    write_store(overlay, step.place, step.size, reporter)
                case _:
                    raise UnsupportedError(f"no overlay becomes one of the kind {step.to}")


def _take_place(step: TakePlace) -> None:
    """Two files are exchanged in any filesystem; directories only where all is one transaction."""
    place, new = step.subject.place, unused(step.subject.place)
    with place.hold():
        if step.keeps_old:
            assert isinstance(place.folder, Ext4Folder)
            exchange_names(place.folder, new.name, place.name)
        else:
            place.folder.replace(new.name, place.name)
        if place.name in place.folder.names():
            # It holds what the users of its system keep from each other.
            keep_private(place.folder, place.name)


def _remove(folder: Folder, names: tuple[str, ...]) -> None:
    """Files and directories of these names, as far as they are there."""
    files, directories = folder.names(), directory_names(folder)
    for name in names:
        if name in files:
            folder.remove(name)
        elif name in directories:
            remove_tree(folder, name)
