# SPDX-License-Identifier: Apache-2.0
"""The plan of ``home encrypt``."""

from uuid import UUID

from liveos.errors import NoSpaceError, RefusedError, UnsupportedError
from liveos.host.folders.partition import PartitionFolder
from liveos.host.luks import HEADER_SIZE
from liveos.medium.home.locate import OpenHome
from liveos.operations.home.plans import encrypt_partition
from liveos.operations.home.plans.existing import left_over, require_home, tools
from liveos.operations.home.plans.mounting import notes_on, preparations
from liveos.operations.home.plans.record import home_facts, noted
from liveos.operations.plan import Plan
from liveos.operations.steps.home import EncryptHome, Encryption
from liveos.sizes import format_size

_REMAINS = (
    "what the plain home held may be found on the medium until it is overwritten: where that"
    " matters, fill the free space of the stick afterwards, or begin with a new stick"
)


def plan(found: OpenHome, spec: str, uuid: UUID) -> Plan:
    """A plain home becomes an encrypted one with the same files, larger by the LUKS header.

    One in a partition cannot become larger; with one that was begun, it goes on.

    :param uuid: of the LUKS volume.
    :raises RefusedError: it is encrypted already.
    :raises UnsupportedError: there is no home, or the image could not open it.
    :raises NoSpaceError: there is no room for the copy.
    """
    status = require_home(found, spec, finished=False)
    if status.kind == "encrypted":
        raise RefusedError(
            f"{found.place} is encrypted", hint="cryptsetup luksChangeKey changes its passphrase"
        )
    if isinstance(found.place.folder, PartitionFolder):
        return encrypt_partition.plan(found, status, uuid)
    mounting = found.mounting(encrypted=True)
    if not mounting.works:
        raise UnsupportedError(
            f"{found.image.name} would not mount an encrypted home: {mounting.reason}",
            hint="the home stays as it is",
        )
    size = (status.size or 0) + HEADER_SIZE
    _require_room(found, size)
    before = tuple(preparations(found, mounting))
    facts = home_facts(found, size, str(uuid), encrypted=True)
    stale = left_over(found)
    return Plan(
        title=f"encrypt the home of {found.image.name}",
        # The words first: our unit mounts plain homes, too.
        steps=(
            *before,
            EncryptHome(found.place, size, Encryption(uuid), stale=bool(stale)),
            *noted(found, before, facts, mounting.words),
        ),
        destroys=stale,
        notes=(*notes_on(found, mounting), _REMAINS),
        needs=tools(found, encrypted=True),
    )


def _require_room(found: OpenHome, size: int) -> None:
    """The copy lies beside the plain home until it is whole."""
    folder = found.place.folder
    free, limit = folder.free(), folder.limit()
    if limit is not None and size > limit:
        raise NoSpaceError(
            f"the filesystem of {folder} takes files of up to {limit} bytes, and the encrypted"
            f" home needs {size}",
            hint=f"make it smaller first: liveos home resize --size {(limit - HEADER_SIZE) >> 20}M",
        )
    if size > free:
        raise NoSpaceError(
            f"{folder} has {format_size(free)} free, and the encrypted copy needs"
            f" {format_size(size)} beside the plain home",
            hint="make room there, or make the home smaller first: liveos home resize",
        )
