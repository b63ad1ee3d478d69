# SPDX-License-Identifier: Apache-2.0
"""Made-up /sys, /proc and /run/udev, laid out as Linux 6.1 shows them (seen under QEMU)."""

from pathlib import Path

from liveos.host.block.machine import Machine

USB = "pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0"
ATA = "pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0"
NVME = "pci0000:00/0000:00:1d.0/0000:01:00.0/nvme/nvme0"
MMC = "pci0000:00/0000:00:1a.0/mmc_host/mmc0/mmc0:aaaa"
GIB_OF_SECTORS = (1 << 30) // 512


class Forge:
    """A machine below a directory, made piece by piece."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.machine = Machine(root)
        self._number = 0
        for directory in ("proc/self", "sys/block", "sys/dev/block", "run/udev/data", "dev"):
            (root / directory).mkdir(parents=True)
        self.mounted = ""

    def disk(self, name: str, bus: str | None = None, /, gib: int = 8, **files: str) -> Path:
        """A disk; ``files`` are those of its ``device`` directory, or its own after ``own_``."""
        above = self.root / "sys/devices" / (bus or "virtual")
        node = above / "block" / name
        self._describe(node, gib)
        write(node / "removable", "0")
        if bus is not None:
            (node / "device").symlink_to("../..")
        for key, value in files.items():
            own = key.startswith("own_")
            write((node if own else above) / key.removeprefix("own_"), value)
        (self.root / "sys/block" / name).symlink_to(node)
        return node

    def part(self, disk: Path, number: int, gib: int = 1) -> Path:
        gap = "p" if disk.name[-1].isdigit() else ""
        node = disk / f"{disk.name}{gap}{number}"
        self._describe(node, gib)
        write(node / "partition", str(number))
        write(node / "start", "2048")
        return node

    def _describe(self, node: Path, gib: int) -> None:
        self._number += 1
        number = f"8:{self._number}"
        write(node / "dev", number)
        write(node / "size", str(gib * GIB_OF_SECTORS))
        write(node / "ro", "0")
        for links in ("slaves", "holders"):
            (node / links).mkdir()
        (self.root / "sys/dev/block" / number).symlink_to(node)

    def stack(self, upper: Path, *lower: Path) -> Path:
        """Build one device upon others, as device-mapper and md do."""
        for each in lower:
            (upper / "slaves" / each.name).symlink_to(each)
            (each / "holders" / upper.name).symlink_to(upper)
        return upper

    def mount(self, point: str, number: str, filesystem: str, source: str) -> None:
        count = len(self.mounted.splitlines()) + 20
        self.mounted += f"{count} 1 {number} / {point} rw,relatime - {filesystem} {source} rw\n"
        write(self.root / "proc/self/mountinfo", self.mounted)

    def mount_device(self, point: str, node: Path, source: str = "/dev/any") -> None:
        self.mount(point, (node / "dev").read_text().strip(), "ext4", source)

    def udev(self, node: Path, **facts: str) -> None:
        lines = ["I:1234", *(f"E:{name}={value}" for name, value in facts.items())]
        number = (node / "dev").read_text().strip()
        write(self.root / "run/udev/data" / f"b{number}", "\n".join(lines))


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")
