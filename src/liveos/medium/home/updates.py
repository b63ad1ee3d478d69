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
    """A file of root's with mode 0644; ``path`` is below the directory ``updates``."""

    path: str
    text: str


@cache
def update_files() -> tuple[UpdateFile, ...]:
    """All that our units need."""
    sources = files("liveos.medium.home") / "boot"
    return tuple(UpdateFile(path, (sources / name).read_text("utf-8")) for name, path in _PLACES)
