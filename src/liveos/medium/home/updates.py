# SPDX-License-Identifier: Apache-2.0
"""What mounts homes and enables swap on images that do not: units beside the images of a stick.

dracut's dmsquash-live copies the directory ``updates`` of the live device over the new root at
each boot, with ``/run`` bound into it (its hook pre-pivot 20, apply-live-updates.sh). So files
below ``updates/run`` come into the running system and into no overlay: nothing of the image
changes, and a stick without the files boots as it did before. systemd gives everything in
``/run`` the labels of SELinux's policy when it loads that, which it does not do for ``/etc``.

FAT has no symbolic links, so a target wants the units by a drop-in. All images of a stick share
the files; each unit goes by the words on the kernel line.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from liveos.host.folders.folder import FolderFile
from liveos.medium.overlay.locate import place_in
from liveos.medium.volume import Volume

DIRECTORY = "updates"
"""At the top of the filesystem that holds the images."""

_UNITS = "run/systemd/system"
_PLACES = (
    ("liveos-storage.sh", "run/liveos-storage.sh"),
    ("liveos-home.service", f"{_UNITS}/liveos-home.service"),
    ("liveos-swap.service", f"{_UNITS}/liveos-swap.service"),
    ("wants-home.conf", f"{_UNITS}/local-fs.target.d/liveos-home.conf"),
    ("wants-swap.conf", f"{_UNITS}/swap.target.d/liveos-swap.conf"),
)


@dataclass(frozen=True, slots=True)
class UpdateFile:
    """A file that dracut copies into the root; ``path`` is below the directory ``updates``."""

    path: str
    text: str


@cache
def update_files() -> tuple[UpdateFile, ...]:
    """All that our units need."""
    sources = files("liveos.medium.home") / "boot"
    return tuple(UpdateFile(path, (sources / name).read_text("utf-8")) for name, path in _PLACES)


@dataclass(frozen=True, slots=True)
class StoredUpdate:
    """One of our files on a stick, or its place there; ``text`` is None where it is missing."""

    place: FolderFile
    file: UpdateFile
    text: bytes | None

    @property
    def is_current(self) -> bool:
        return self.text == self.file.text.encode()


def find_updates(volume: Volume) -> tuple[StoredUpdate, ...]:
    """Our files in the volume that holds an image."""
    return tuple(_find(volume, file) for file in update_files())


def _find(volume: Volume, file: UpdateFile) -> StoredUpdate:
    path = f"/{DIRECTORY}/{file.path}"
    node = volume.find_file(path)
    # One byte more than ours is enough to see that it is another one.
    most = len(file.text.encode()) + 1
    text = None if node is None else volume.tree.open(node).read_at(0, min(node.size, most))
    return StoredUpdate(place_in(volume, node.path if node else path), file, text)
