# SPDX-License-Identifier: Apache-2.0
"""What is wished of a new stick, and what has been decided about it."""

from dataclasses import dataclass, field

from liveos.host.target import Target
from liveos.host.volumes import Ext4Volume, FatVolume
from liveos.medium.bootline import Installed
from liveos.medium.model import Medium, PersistenceKind
from liveos.operations.install.layout import Identities, Layout
from liveos.operations.install.payload import Payload
from liveos.sizes import Size

_REST = Size()


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallRequest:
    """What is wished. ``size`` makes a new file; without it the target keeps its own.

    ``overlay`` None means that changes are not kept; ``overlay_kind`` None lets the image decide.
    ``label`` is that of the LIVE partition, ``name`` the image's directory there. ``timeout`` is
    how many seconds the boot menu waits.
    """

    identities: Identities = field(default_factory=Identities.random)
    size: int | None = None
    erase: bool = False
    overlay: Size | None = _REST
    overlay_kind: PersistenceKind | None = None
    label: str | None = None
    name: str = "LiveOS"
    kernel_arguments: tuple[str, ...] = ()
    bios: bool = True
    verify: bool = True
    timeout: int = 5


@dataclass(frozen=True, slots=True)
class Stick:
    """Everything that has been decided, for the functions that write down the steps."""

    request: InstallRequest
    source: Medium
    target: Target
    payload: Payload
    layout: Layout
    esp: FatVolume
    live: Ext4Volume
    installed: Installed
    overlay_size: int | None

    @property
    def directory(self) -> str:
        return f"/{self.request.name}"

    @property
    def checks_source(self) -> bool:
        """The source has a sum, and it is wished that it be compared."""
        return self.request.verify and self.source.implanted_md5 is not None

    @property
    def makes_file(self) -> bool:
        """A new file is made beside the target and renamed; else the target is written in place."""
        return self.request.size is not None
