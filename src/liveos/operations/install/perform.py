# SPDX-License-Identifier: Apache-2.0
"""How each kind of step is done. ``execute`` alone calls these functions."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from liveos.errors import LiveosError, ProblemsFoundError, UnsupportedError
from liveos.formats.binary import (
    ByteSource,
    ExtentSource,
    FileSource,
    FormatError,
    MemorySource,
    Window,
)
from liveos.formats.programs import grub_pc
from liveos.host import disk, ext4
from liveos.host.folders.in_volume import file_in
from liveos.host.relay import Relay
from liveos.host.run import run
from liveos.host.sums import Summing
from liveos.host.target import NEXT_DISK
from liveos.host.tools import Command
from liveos.host.transfer import ReadAhead, forget_cached, pieces
from liveos.host.volume_files import crc32_on_disk, write_file
from liveos.host.volumes import Ext4Volume, FatVolume, MountedVolume, StagedVolume
from liveos.medium.model import FileRef
from liveos.operations.install.session import Session, Written
from liveos.operations.steps.stick import (
    Allocate,
    CheckSource,
    Copy,
    CreateImage,
    InstallCore,
    MakeDirectories,
    Place,
    Publish,
    Remove,
    WriteBootCode,
    WriteRecord,
)


def check_source(step: CheckSource, session: Session) -> None:
    """Begin; and wait for the result if nothing may be written before it is known."""
    session.check = session.shared.check(step.source, step.md5)
    if not step.meanwhile:
        await_check(session)


def await_check(session: Session) -> None:
    """:raises ProblemsFoundError: the source is not what its maker has summed."""
    assert session.check is not None
    session.check.wait(session.reporter, session.shared.poll)
    session.check = None


def create_image(step: CreateImage, session: Session) -> None:
    if step.replaces:
        step.path.unlink()
    session.part = step.path
    try:
        disk.create(step.path, step.size)
    except LiveosError:
        session.part = None  # somebody else's
        raise


def make_directories(step: MakeDirectories) -> None:
    match step.volume:
        case FatVolume() as volume:
            run(volume.make_directories(step.paths))
        case Ext4Volume() as volume:
            for path in step.paths:
                ext4.make_directory(volume, path, step.selinux)
        case StagedVolume() | MountedVolume() as volume:
            for path in step.paths:
                volume.at(path).mkdir(mode=0o755)


def allocate(step: Allocate) -> None:
    if isinstance(step.place.volume, Ext4Volume):
        ext4.allocate(step.place.volume, step.place.path, step.size)
        return
    file = file_in(step.place.volume, step.place.path)
    with file.folder.create(file.name, step.size):
        pass  # it reads as zeros


def copy(step: Copy, session: Session) -> None:
    """Stream a file; what was read is hashed on the way and compared with the target later."""
    relay = relayed(step.file, session)
    stream(step.place, step.file.size, relay.pieces(session.reader), session)
    session.note(Written(step.place, step.file.size, relay.sums(), copied=True))


def relayed(file: FileRef, session: Session) -> Relay:
    """A file's bytes, which every stick that gets them at the same time shares."""
    return session.shared.relay(file, lambda: _opened(file), file.size)


@contextmanager
def _opened(file: FileRef) -> Iterator[ByteSource]:
    with FileSource(file.container) as container, ReadAhead(bytes_of(file, container)) as source:
        yield source


def write(place: Place, data: bytes, session: Session) -> None:
    write_from(place, MemorySource(data), session)


def write_from(place: Place, source: ByteSource, session: Session) -> None:
    """A file that was made here; it is read back later."""
    summing = Summing()
    stream(place, source.size, summing.through(pieces(source, source.size)), session)
    session.note(Written(place, source.size, summing.sums, copied=False))


def write_record(step: WriteRecord, session: Session) -> None:
    """The record with what only the copying has told: the sums."""
    write(step.place, record_text(step.record, session).encode(), session)


def record_text(record: dict[str, object], session: Session) -> str:
    """A record with the size and the sum of each file that was copied."""
    files = [
        {
            "partition": item.place.partition,
            "path": item.place.path,
            "size": item.size,
            "sha256": item.sums.sha256,
        }
        for item in session.written
        if item.copied
    ]
    return json.dumps({**record, "files": files}, indent=1) + "\n"


def read_back(session: Session) -> None:
    """:raises ProblemsFoundError: the target gives back other bytes than it was given."""
    total = sum(item.size for item in session.unread)
    before = 0
    for item in session.unread:

        def progress(done: int, before: int = before) -> None:
            session.reporter.progress(before + done, total)
            session.shared.poll()

        found = crc32_on_disk(item.place.volume, item.place.path, item.size, progress)
        if found != item.sums.crc32:
            raise ProblemsFoundError(
                f"{item.place} was read back from {item.place.volume.path} with other bytes than "
                "were written",
                hint="the stick is failing, or it is smaller than it says: use another",
            )
        before += item.size
    session.unread.clear()


def install_core(step: InstallCore) -> None:
    core = _build_core(step)
    try:
        loader = grub_pc.core_image(core, step.offset // grub_pc.SECTOR)
    except FormatError as error:
        raise LiveosError(f"{step.build.tool.name}: {error}") from error
    if len(loader) > step.size:
        raise LiveosError(f"GRUB's core image of {len(loader)} bytes does not fit")
    write_and_compare(step.path, step.offset, loader)


def write_boot_code(step: WriteBootCode) -> None:
    """When this has succeeded, the disk starts."""
    code = NEXT_DISK
    if step.boot_image is not None:
        try:
            image = step.boot_image.read_bytes()
            code = grub_pc.boot_code(image, step.core_offset // grub_pc.SECTOR)
        except FormatError as error:
            raise LiveosError(f"{step.boot_image}: {error}") from error
    write_and_compare(step.path, 0, code.ljust(grub_pc.BOOT_CODE_SIZE, b"\0"))


def write_and_compare(path: Path, offset: int, data: bytes) -> None:
    """:raises ProblemsFoundError: the target gives back other bytes than it was given."""
    with disk.opened(path) as descriptor:
        disk.write_all(descriptor, offset, data)
        os.fsync(descriptor)
        forget_cached(descriptor)
        if os.pread(descriptor, len(data), offset) != data:
            raise ProblemsFoundError(f"{path}: the boot loader cannot be read back")


def remove(step: Remove) -> None:
    assert isinstance(step.place.volume, FatVolume)
    run(step.place.volume.remove(step.place.path))


def publish(step: Publish, session: Session) -> None:
    """From here on the stick has its name, also after a power cut."""
    if not step.replaces and os.path.lexists(step.path):
        raise LiveosError(f"{step.path} has appeared meanwhile", hint="choose another name")
    step.part.rename(step.path)
    session.part, session.published = None, True
    disk.sync_directory(step.path.parent)


def bytes_of(file: FileRef, container: ByteSource) -> ByteSource:
    """A file's bytes; the last extent may reach beyond its end."""
    assert file.extents is not None
    try:
        return Window(ExtentSource(container, file.extents), 0, file.size)
    except FormatError as error:
        raise UnsupportedError(f"{file.container}:{file.path}: {error}") from error


def stream(place: Place, size: int, data: Iterator[bytes], session: Session) -> None:
    """Write a new file of ``size`` bytes."""

    def progress(done: int) -> None:
        session.reporter.progress(done, size)
        session.poll()

    write_file(place.volume, place.path, size, readable(place, data), progress)


def readable(place: Place, data: Iterator[bytes]) -> Iterator[bytes]:
    """:raises UnsupportedError: what is read turns out to be damaged."""
    try:
        yield from data
    except FormatError as error:
        raise UnsupportedError(f"the source of {place} is damaged: {error}") from error


def _build_core(step: InstallCore) -> bytes:
    with tempfile.TemporaryDirectory(prefix="liveos-") as directory:
        search, core = Path(directory, "search.cfg"), Path(directory, "core.img")
        search.write_text(step.search)
        files = ("-c", str(search), "-o", str(core))
        run(Command(step.build.tool, (*step.build.arguments, *files)))
        return core.read_bytes()
