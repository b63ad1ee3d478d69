# SPDX-License-Identifier: Apache-2.0
"""What is known of a home without opening it: its kind, its size, who can open it."""

from dataclasses import dataclass
from pathlib import Path

from liveos.formats.binary import ByteSource, FormatError
from liveos.formats.identify import Kind, identify
from liveos.formats.luks import LuksHeader, read_luks
from liveos.medium.home.locate import OpenHome
from liveos.medium.home.mounting import Mounting
from liveos.medium.volume import open_volume
from liveos.report import Finding, Severity


@dataclass(frozen=True, slots=True)
class HomeStatus:
    """The facts of a home.

    ``kind`` is ``plain``, ``encrypted``, ``encrypting`` (which was begun and is not finished),
    ``unknown``, or None where there is no home. What a filesystem says of itself is None in an
    encrypted one.
    """

    path: str
    image: str
    kind: str | None
    mounting: Mounting
    size: int | None = None
    filesystem: str | None = None
    label: str | None = None
    uuid: str | None = None
    used_size: int | None = None
    luks: LuksHeader | None = None
    warnings: tuple[Finding, ...] = ()


def home_status(found: OpenHome) -> HomeStatus:
    """The facts of an image's home, or of its absence."""
    path, name, source = str(found.place), found.image.name, found.source
    if source is None:
        return HomeStatus(path, name, None, found.mounting(encrypted=False))
    try:
        identity = identify(source)
        if identity is not None and identity.kind is Kind.LUKS:
            return _encrypted(found, source)
        if identity is not None and identity.kind is Kind.ENCRYPTING:
            return _encrypting(found, source, identity.uuid)
        return _plain(found, source)
    except FormatError as error:
        warning = Finding("unreadable-home", Severity.WARNING, f"{path}: {error}")
        mounting = found.mounting(encrypted=False)
        return HomeStatus(path, name, "unknown", mounting, source.size, warnings=(warning,))


def _encrypted(found: OpenHome, source: ByteSource) -> HomeStatus:
    luks, mounting = read_luks(source), found.mounting(encrypted=True)
    warnings = []
    if luks.unfinished:
        message = f"{found.place}: a change of its encryption was begun and is not finished"
        repair = "cryptsetup reencrypt --resume-only"
        warnings.append(Finding("unfinished-encryption", Severity.WARNING, message, repair))
    return HomeStatus(
        str(found.place),
        found.image.name,
        "encrypted",
        mounting,
        source.size,
        uuid=luks.uuid,
        luks=luks,
        warnings=tuple(warnings),
    )


def _encrypting(found: OpenHome, source: ByteSource, uuid: str | None) -> HomeStatus:
    """One that nobody can mount until ``home encrypt`` has gone on with it."""
    message = f"{found.place}: its encryption was begun and is not finished; no boot mounts it"
    repair = "run liveos home encrypt again, with the same passphrase"
    warning = Finding("unfinished-encryption", Severity.WARNING, message, repair)
    mounting = found.mounting(encrypted=True)
    return HomeStatus(
        str(found.place),
        found.image.name,
        "encrypting",
        mounting,
        source.size,
        uuid=uuid,
        warnings=(warning,),
    )


def _plain(found: OpenHome, source: ByteSource) -> HomeStatus:
    volume = open_volume(source, Path(str(found.place)), None)
    return HomeStatus(
        str(found.place),
        found.image.name,
        "plain",
        found.mounting(encrypted=False),
        source.size,
        filesystem=volume.filesystem,
        label=volume.label,
        uuid=volume.uuid,
        used_size=volume.used_size,
    )
