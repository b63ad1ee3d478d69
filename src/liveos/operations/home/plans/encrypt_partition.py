# SPDX-License-Identifier: Apache-2.0
"""The plan of ``home encrypt`` for a home in a partition, where there is no room for a copy."""

from dataclasses import replace
from uuid import UUID

from liveos.errors import NoSpaceError, UnsupportedError
from liveos.formats.encryption_mark import room_of
from liveos.medium.home.locate import OpenHome
from liveos.medium.home.status import HomeStatus
from liveos.operations.home.plans.existing import tools
from liveos.operations.home.plans.mounting import notes_on, preparations
from liveos.operations.home.plans.record import home_facts, noted
from liveos.operations.plan import Plan
from liveos.operations.steps.home import Encryption, EncryptPartition, MakeRoom
from liveos.sizes import format_size

_ON_THE_WAY = (
    "a power cut on the way loses nothing: until home encrypt has been run again, the image"
    " starts without the home"
)
_REMAINS = (
    "files that were deleted before may be found on the medium until they are overwritten: where"
    " that matters, begin with a new stick"
)


def plan(found: OpenHome, status: HomeStatus, uuid: UUID) -> Plan:
    """Encrypt it where it lies, or go on with that.

    :param uuid: of the LUKS volume; one that was begun keeps its own.
    :raises UnsupportedError: the image could not open it.
    :raises NoSpaceError: what is in there leaves no room for the header.
    """
    resumes = status.kind == "encrypting"
    if resumes and status.uuid is not None:
        uuid = UUID(status.uuid)
    size = status.size or 0
    found = replace(found, partition=str(uuid))
    mounting = found.mounting(encrypted=True)
    if not mounting.works and not resumes:
        raise UnsupportedError(
            f"{found.image.name} would not mount an encrypted home: {mounting.reason}",
            hint="the home stays as it is",
        )
    _require_room(found, status, size)
    before = tuple(preparations(found, mounting))
    first = () if resumes else (MakeRoom(found.place, room_of(size)),)
    verb = "go on to encrypt" if resumes else "encrypt"
    return Plan(
        title=f"{verb} the home of {found.image.name}, where it lies",
        # The words in between: until then, a boot finds the plain home by its own.
        steps=(
            *first,
            *before,
            EncryptPartition(found.place, Encryption(uuid), resumes=resumes),
            *noted(
                found, before, home_facts(found, size, str(uuid), encrypted=True), mounting.words
            ),
        ),
        notes=(*notes_on(found, mounting), _ON_THE_WAY, _REMAINS),
        needs=tools(found, encrypted=True, resizes=True),
    )


def _require_room(found: OpenHome, status: HomeStatus, size: int) -> None:
    room, used = room_of(size), status.used_size
    if used is not None and used > room:
        raise NoSpaceError(
            f"{found.place} has {format_size(used)} in use, and {format_size(size - room)} must be"
            " free to encrypt it where it lies",
            hint="delete files in there, or make it larger first: liveos home resize",
        )
