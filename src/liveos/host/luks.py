# SPDX-License-Identifier: Apache-2.0
"""LUKS2 volumes in files, made without device-mapper and without any right but to the file.

cryptsetup makes the header, for a volume key of ours; the contents are then encrypted here as
dm-crypt would do it (the kernel's Documentation/admin-guide/device-mapper/dm-crypt.rst): AES in
XTS mode, each sector for itself, with the number of the sector as the tweak.

Measured with 96 MiB: ``cryptsetup reencrypt --encrypt`` takes 3.6 s beside the derivation of the
key, and writes all of it twice; here it is 0.2 s, and what a filesystem does not use is not
written at all.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import XTS

from liveos.errors import RefusedError
from liveos.formats.binary import ByteSink
from liveos.host.memory_file import MemoryFile, memory_file
from liveos.host.run import run
from liveos.host.tools import CRYPTSETUP, Command
from liveos.host.transfer import PIECE

HEADER_SIZE = 16 << 20
"""Bytes before the encrypted data: what cryptsetup reserves for LUKS2."""

SECTOR = 4096
_IV_SECTOR = 512  # dm-crypt counts in these, whatever the size of its own sectors is
_KEY_SIZE = 64  # two keys of 256 bits for XTS
_LONGEST_KEY = 1 << 20
# The default is a part of this machine's memory, up to 1 GiB; a stick goes to smaller ones.
_KDF_COST = ("--pbkdf-memory", str(256 << 10))  # KiB


@dataclass(frozen=True, slots=True)
class Key:
    """A passphrase, or the bytes of a key file, in memory that only this process has.

    ``name`` is how people know it. The secret is neither in the value nor in its text, so that
    plans may hold it.
    """

    name: str
    file: MemoryFile

    def __str__(self) -> str:
        return self.name

    def secret(self) -> bytes:
        return os.pread(self.file.descriptor, _LONGEST_KEY, 0)


@contextmanager
def private_key(name: str, secret: bytes) -> Iterator[Key]:
    """A secret for the time of the body.

    :raises RefusedError: it is empty, or larger than any key.
    """
    if not secret or len(secret) > _LONGEST_KEY:
        problem = "is empty" if not secret else "is larger than 1 MiB"
        raise RefusedError(f"{name} {problem}", hint="choose another one")
    with memory_file("key", secret) as file:
        yield Key(name, file)


def new_volume(sink: ByteSink, size: int, uuid: UUID, key: Key) -> "EncryptedSink":
    """Write the header of a new volume; what it returns takes the contents.

    :param size: bytes of the whole, header included.
    """
    volume_key = os.urandom(_KEY_SIZE)
    header = _header(size, uuid, key, volume_key)
    for offset in range(0, HEADER_SIZE, PIECE):
        sink.write_at(offset, header[offset : offset + PIECE])
    return EncryptedSink(sink, size - HEADER_SIZE, volume_key)


class EncryptedSink:
    """Takes the plain contents of a volume, in whole sectors; ``size`` are its bytes."""

    def __init__(self, sink: ByteSink, size: int, volume_key: bytes) -> None:
        self._sink = sink
        self._algorithm = AES(volume_key)
        self.size = size

    def write_at(self, offset: int, data: bytes) -> None:
        assert offset % SECTOR == 0
        assert len(data) % SECTOR == 0
        sectors = range(0, len(data), SECTOR)
        sealed = (self._seal(offset + at, data[at : at + SECTOR]) for at in sectors)
        self._sink.write_at(HEADER_SIZE + offset, b"".join(sealed))

    def flush(self) -> None:
        self._sink.flush()

    def _seal(self, offset: int, sector: bytes) -> bytes:
        # plain64: the number as 64 bits, and zeros behind.
        tweak = (offset // _IV_SECTOR).to_bytes(16, "little")
        return Cipher(self._algorithm, XTS(tweak)).encryptor().update(sector)


def _header(size: int, uuid: UUID, key: Key, volume_key: bytes) -> bytes:
    """What cryptsetup writes before the data, made on a file that takes no room."""
    with (
        memory_file("volume-key", volume_key) as own_key,
        memory_file("luks-header", size=size) as file,
    ):
        run(format_command(file.path, own_key.path, uuid), stdin=key.secret())
        return os.pread(file.descriptor, HEADER_SIZE, 0)


def format_command(path: Path, volume_key: Path, uuid: UUID) -> Command:
    """Make an empty LUKS2 volume in a file; the passphrase is its standard input."""
    shape = ("--type", "luks2", "--cipher", "aes-xts-plain64", "--key-size", str(_KEY_SIZE * 8))
    sectors = ("--sector-size", str(SECTOR), "--offset", str(HEADER_SIZE // _IV_SECTOR))
    derivation = ("--pbkdf", "argon2id", *_KDF_COST)
    names = ("--uuid", str(uuid), "--volume-key-file", str(volume_key), "--key-file", "-")
    manner = ("--batch-mode", "--disable-locks")
    return Command(
        CRYPTSETUP, ("luksFormat", *manner, *shape, *sectors, *derivation, *names, str(path))
    )
