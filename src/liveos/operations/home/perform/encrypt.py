# SPDX-License-Identifier: Apache-2.0
"""A plain home becomes an encrypted one: its copy is whole before it takes the place."""

from liveos.errors import UsageError
from liveos.host.folders.folder import StoredFile
from liveos.host.luks import Key, new_volume
from liveos.operations.home.contents import Shape, filesystem, shape, unlock, write_copy
from liveos.operations.home.perform.beside import in_its_place
from liveos.operations.steps.home import EncryptHome
from liveos.report import Reporter


def encrypt_home(step: EncryptHome, reporter: Reporter) -> None:
    """A power cut leaves the plain home or the encrypted one, at worst with a copy beside it."""
    key = step.encryption.key
    if key is None:
        raise UsageError("an encrypted home needs a key", hint="add --key-file FILE")
    with (
        step.place.hold(),
        step.place.open() as file,
        shape(filesystem(file, step.place)) as wanted,
        in_its_place(step.place, step.size, stale=step.stale) as copy,
    ):
        _fill(step, copy, wanted, key, reporter)


def _fill(step: EncryptHome, copy: StoredFile, wanted: Shape, key: Key, reporter: Reporter) -> None:
    """The header as cryptsetup makes it; then it is opened as at boot, by the passphrase."""
    new_volume(copy, step.size, step.encryption.uuid, key)
    lock = unlock(copy, key, step.place)
    assert lock is not None
    write_copy(wanted, lock.inside(copy), reporter.progress, zeros=True)
