# SPDX-License-Identifier: Apache-2.0
"""The root images of a medium: which files they are, and the directory of each.

Nothing that boots them is looked into; ``images`` does that.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from liveos.formats.tree import Node
from liveos.medium.bootline import DEFAULT_DIRECTORY
from liveos.medium.model import Entry, Firmware
from liveos.medium.scene import Scene
from liveos.medium.volume import Volume

# In the order in which they are looked for: dracut's names first (boot-contract.md 2.0, step 4).
_ROOT_NAMES = ("squashfs.img", "rootfs.img", "ext3fs.img", "filesystem.squashfs", "install.img")
_MOST_DIRECTORIES = 1000
_SQUASHIMG = "rd.live.squashimg"


@dataclass(frozen=True, slots=True)
class Payload:
    """A root image's file, and the directory that it lies in, without slashes around."""

    volume: Volume
    directory: str
    node: Node


def find_payloads(scene: Scene) -> tuple[Payload, ...]:
    """The root image of every image of a medium, in the order in which `find_images` has them."""
    menus = [menu for menu in map(scene.menu, Firmware) if menu is not None]
    return tuple(payloads_of(scene, [entry for menu in menus for entry in menu.entries]))


def holds_root(scene: Scene) -> bool:
    """Whether a root image lies at the top: then it is the directory of an image, not a medium."""
    tops = (set(map(str.casefold, volume.list_names("/"))) for volume in scene.volumes)
    return any(names & set(_ROOT_NAMES) for names in tops)


def live_directory(entry: Entry) -> str:
    """The directory that an entry's initramfs will look into."""
    named = entry.option("rd.live.dir") or entry.option("live_dir") or DEFAULT_DIRECTORY
    return named.strip("/")


def entries_of(scene: Scene, payload: Payload) -> tuple[Entry, ...]:
    """The boot entries of an image: where it is the only one, the whole menu."""
    menus = [menu for menu in map(scene.menu, Firmware) if menu is not None]
    entries = [entry for menu in menus for entry in menu.entries]
    if len(tuple(payloads_of(scene, entries))) == 1:
        return tuple(entries)
    return tuple(entries_that_start(entries, payload.directory))


def entries_that_start(entries: Iterable[Entry], directory: str) -> Iterator[Entry]:
    """Those whose initramfs looks into a directory."""
    for entry in entries:
        if entry.kernel and live_directory(entry).casefold() == directory.casefold():
            yield entry


def payloads_of(scene: Scene, entries: list[Entry]) -> Iterator[Payload]:
    """The same, for who has read the entries of its menus already."""
    names = _RootNames(entries)
    named = [live_directory(entry) for entry in entries if entry.live_source]
    for volume in scene.data_volumes:
        listed = volume.list_names("/")[:_MOST_DIRECTORIES]
        seen = set()
        for directory in dict.fromkeys((*named, *listed, "")):
            node = _root_file(volume, directory, names.of(directory))
            if node is not None and node.number not in seen:
                seen.add(node.number)
                yield Payload(volume, node.path.rpartition("/")[0].strip("/"), node)


class _RootNames:
    """What the root image of a directory may be called; first what its own entries say."""

    def __init__(self, entries: list[Entry]) -> None:
        said = [(live_directory(each).casefold(), each.option(_SQUASHIMG)) for each in entries]
        self._own: dict[str, list[str]] = {}
        for directory, name in said:
            if name:
                self._own.setdefault(directory, []).append(name)
        self._all = tuple(dict.fromkeys(name for _, name in said if name))

    def of(self, directory: str) -> Iterator[str]:
        if not directory:
            return iter(_ROOT_NAMES[:1])
        own = self._own.get(directory.casefold(), ())
        return iter(dict.fromkeys((*own, *_ROOT_NAMES, *self._all)))


def _root_file(volume: Volume, directory: str, names: Iterable[str]) -> Node | None:
    """The first of these files that is in a directory."""
    there = {name.casefold() for name in volume.list_names(f"/{directory}")}
    wanted = (name for name in names if name.casefold() in there)
    found = (volume.find_file(f"/{directory}/{name}") for name in wanted)
    return next((node for node in found if node is not None), None)
