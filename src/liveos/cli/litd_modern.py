# SPDX-License-Identifier: Apache-2.0
"""What ``liveos install`` is told to do the job of an old livecd-iso-to-disk line.

Only words: nothing is looked at. What has no counterpart is refused, never left out; options that
ask for what ``install`` does anyway need no word (`DONE_ANYWAY`).
"""

import re
from collections.abc import Iterator, Sequence
from types import MappingProxyType

from liveos.cli.litd_words import OldLine, read_line
from liveos.errors import UsageError

DONE_ANYWAY = MappingProxyType(
    {
        "--efi": "a stick starts by EFI, too",
        "--nomac": "no partition for Macs is made",
        "--nobootmsg": "the menu shows no boot.msg",
        "--compress": "the compressed root is copied as it is",
        "--crypted-home": "a home is encrypted unless something else is said",
        "--delete-home": "nothing of a stick that is erased is kept",
    }
)
"""Old options that need no new word, and why."""

NO_COUNTERPART = MappingProxyType(
    {
        "--skipcopy": (
            "liveos does not make the boot menu of a stick anew without an installation",
            "the verbs of overlay and home change the menu themselves; else install again",
        ),
        "--force": (
            "--force let homes and overlays be deleted without a question",
            "liveos names what will be lost and asks; --yes agrees beforehand",
        ),
        "--xo": ("the OLPC XO-1 is not supported", "use livecd-iso-to-disk for it"),
        "--xo-no-home": ("the OLPC XO-1 is not supported", "use livecd-iso-to-disk for it"),
        "--totaltimeout": (
            "the menu has one waiting time, not a second one for the whole",
            "give --timeout alone",
        ),
        "--reset-overlay": (
            "emptying the overlay of a stick is no installation",
            "liveos overlay reset STICK does it",
        ),
        "--updates": (
            "updates.img is for installers, and liveos installs live images",
            "copy the file to the stick, and name it with --extra-kernel-args inst.updates=…",
        ),
        "--ks": (
            "a kickstart file is for installers, and liveos installs live images",
            "copy the file to the stick, and name it with --extra-kernel-args inst.ks=…",
        ),
    }
)
"""Old options that are refused: why, and what to do instead."""

_FAT = frozenset({"fat", "vfat", "msdos"})
_MODERN_FILESYSTEMS = MappingProxyType(
    {"ext4": "ext4", "btrfs": "btrfs", "xfs": "xfs", "f2fs": "f2fs"} | dict.fromkeys(_FAT, "fat32")
)
_OVERLAYS = ("--overlay-size-mb", "--no-overlay", "--copy-overlay")
_FAT_LIMIT = 4096  # MiB; the largest file of FAT is a byte less
_PARTITION = re.compile(r"(/dev/(?:[shv]d[a-z]+|(?:mmcblk|loop|nvme\d+n)\d+(?=p)))p?\d+")


def modern(words: Sequence[str]) -> tuple[str, ...]:
    """The words behind ``liveos`` that do what the old ``words`` have asked for.

    :raises UsageError: there is no such option, or nothing that does the same; says what to do.
    """
    line = read_line(words)
    for name, (reason, instead) in NO_COUNTERPART.items():
        if line.has(name):
            raise UsageError(f"{name}: {reason}", hint=instead)
    return (
        "install",
        *_place(line),
        *_overlay(line),
        *_home(line),
        *_start(line),
        *line.new,
        line.source,
        _target(line),
    )


def _formats(line: OldLine) -> bool:
    return line.has("--format") or line.has("--msdos")


def _place(line: OldLine) -> Iterator[str]:
    """Whether the stick is made anew or gets an image more, and what it is like."""
    if _formats(line):
        if line.has("--multi"):
            raise UsageError(
                "--format leaves no image to which --multi could add another",
                hint="leave out one of them",
            )
        yield "--erase"
        yield from _new_stick(line)
    else:
        yield from _addition(line)
    if line.has("--livedir"):
        yield from ("--name", re.sub(r"\s", "_", line.said["--livedir"]).replace("/", "-"))
    if line.has("--label"):
        yield from ("--label", re.sub(r"\s", "_", line.said["--label"]))
    if line.has("--skipcompress"):
        yield "--uncompressed"
    if line.has("--noverify"):
        yield "--no-verify"


def _new_stick(line: OldLine) -> Iterator[str]:
    filesystem, features = _filesystem(line)
    if not line.has("--efi"):
        yield from ("--table", "msdos")
    if filesystem != "ext4":
        yield from ("--filesystem", filesystem)
    if features:
        yield from ("--f2fs-features", features)
    if line.has("--noesp"):
        if filesystem != "fat32":
            raise UsageError(
                "--noesp: without an ESP, kernels must lie on FAT, where every firmware reads them",
                hint="leave out --noesp, or add --msdos",
            )
        yield from ("--layout", "single")


def _filesystem(line: OldLine) -> tuple[str, str]:
    """The new name of the filesystem, and features of F2FS."""
    parts = [part.strip() for part in line.said.get("--format", "").split(",")]
    if parts[0].isdecimal():
        raise UsageError(
            f"--format {parts[0]}: a stick is made of the whole device, not of {parts[0]} MiB",
            hint="leave out the size; --overlay-size-mb says how much the overlay gets",
        )
    name = parts[0] or ("vfat" if line.has("--msdos") else "ext4")
    if name in {"ext2", "ext3"}:
        raise UsageError(f"--format {name}: liveos makes no {name}", hint="write --format ext4")
    if name not in _MODERN_FILESYSTEMS:
        raise UsageError(
            f"--format {name}: that is no filesystem for a stick",
            hint="there are: ext4, vfat, btrfs, xfs, f2fs; behind --format alone, another option"
            " must stand",
        )
    if len(parts) > 1 and parts[1] not in {"", "-"}:
        raise UsageError(
            f"--format {name},{parts[1]}: the size of blocks is left to mkfs",
            hint=f"write --format {name}",
        )
    features = ",".join(parts[2:])
    if features and name != "f2fs":
        raise UsageError(f"--format: {features} are features of f2fs alone", hint="leave them out")
    return _MODERN_FILESYSTEMS[name], features


def _addition(line: OldLine) -> Iterator[str]:
    if not line.has("--multi"):
        raise UsageError(
            "without --format, the old tool put its files into a filesystem that is there; liveos"
            " makes a stick of a whole device, or adds an image to one",
            hint="add --format (everything on the target is lost), or --multi",
        )
    for name in ("--reset-mbr", "--noesp"):
        if line.has(name):
            raise UsageError(
                f"{name} is about the whole stick, and --multi leaves that as it is",
                hint=f"leave out {name}",
            )
    yield "--add"


def _target(line: OldLine) -> str:
    """The whole device; ``--multi`` took the partition that holds the images."""
    found = _PARTITION.fullmatch(line.target)
    return found[1] if found and not _formats(line) else line.target


def _overlay(line: OldLine) -> Iterator[str]:
    said = [name for name in _OVERLAYS if line.has(name)]
    if line.said.get("--overlayfs") == "temp":
        said.append("--overlayfs temp")
    if len(said) > 1:
        raise UsageError(f"{' and '.join(said)} contradict each other", hint="choose one of them")
    if line.has("--no-overlay"):
        if not line.has("--skipcompress"):
            raise UsageError(
                "--no-overlay writes changes into the root, which must not be compressed",
                hint="add --skipcompress",
            )
        yield from ("--overlay-kind", "direct")
    elif line.has("--copy-overlay"):
        yield "--copy-overlay"
    elif line.said.get("--overlayfs", "temp") == "temp" and not line.has("--overlay-size-mb"):
        yield from ("--overlay", "none")
    else:
        yield from _persistent(line)


def _persistent(line: OldLine) -> Iterator[str]:
    """On FAT, OverlayFS needs a filesystem in a file; elsewhere a directory, which has no size.

    What a stick is that gets an image more, nobody has looked at: a size asks for a file there.
    """
    sized = line.has("--overlay-size-mb")
    on_fat = _formats(line) and _filesystem(line)[0] == "fat32"
    if line.has("--overlayfs"):
        in_file = on_fat or (sized and not _formats(line))
        yield from ("--overlay-kind", "image" if in_file else "directory")
    if sized:
        if line.has("--overlayfs") and _formats(line) and not on_fat:
            raise UsageError(
                "--overlay-size-mb: an OverlayFS directory has no size, it grows as there is room",
                hint="leave out --overlay-size-mb, or --overlayfs",
            )
        yield from ("--overlay", _mebibytes(line, "--overlay-size-mb", on_fat=on_fat))
    elif on_fat:
        raise UsageError(
            "--overlayfs on FAT is a filesystem in a file, whose size must be known",
            hint="add --overlay-size-mb SIZE",
        )


def _home(line: OldLine) -> Iterator[str]:
    if line.has("--home-size-mb") and line.has("--copy-home"):
        raise UsageError(
            "--home-size-mb and --copy-home contradict each other", hint="choose one of them"
        )
    on_fat = _formats(line) and _filesystem(line)[0] == "fat32"
    if line.has("--home-size-mb"):
        yield from ("--home", _mebibytes(line, "--home-size-mb", on_fat=on_fat))
    if line.has("--copy-home"):
        yield "--copy-home"
    elif line.has("--unencrypted-home"):
        yield "--plain-home"
    if line.has("--swap-size-mb"):
        yield from ("--swap", _mebibytes(line, "--swap-size-mb", on_fat=on_fat))


def _mebibytes(line: OldLine, name: str, *, on_fat: bool) -> str:
    """A size of the form ``MiB[,fstype[,blocksize]]`` in the new spelling."""
    size, *more = (part.strip() for part in line.said[name].split(","))
    if not re.fullmatch(r"[1-9][0-9]{0,8}", size):
        raise UsageError(f"{name} {size}: that is no number of MiB", hint="write 512")
    if any(part not in {"", "-", "ext4"} for part in more):
        raise UsageError(
            f"{name} {line.said[name]}: what is in the file is an ext4, with the blocks that mkfs"
            " chooses",
            hint=f"write {name} {size}",
        )
    if on_fat and int(size) == _FAT_LIMIT:
        size = str(_FAT_LIMIT - 1)
    return f"{size}M"


def _start(line: OldLine) -> Iterator[str]:
    """The menu's waiting time, and words for the kernel."""
    if line.has("--timeout"):
        yield from ("--timeout", str(_seconds(line.said["--timeout"])))
    elif line.has("--nomenu"):
        yield from ("--timeout", "0")
    words = [line.said.get("--extra-kernel-args", "").strip()]
    if line.said.get("--overlayfs") == "temp":
        words.append("rd.live.overlay.overlayfs=1")
    if any(words):
        yield from ("--kernel-args", " ".join(filter(None, words)))


def _seconds(text: str) -> int:
    """Tenths of a second, rounded as the old tool did; ``-0`` starts at once."""
    if text == "-0":
        return 0
    if text == "-1":
        raise UsageError(
            "--timeout -1: a menu that waits for ever is not made", hint="give a long time: 36000"
        )
    if text == "0":
        raise UsageError(
            "--timeout 0 meant to wait for ever in SYSLINUX, and to start at once in GRUB",
            hint="write -0 to start at once, or a long time: 36000",
        )
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise UsageError(f"--timeout {text}: that is no time in tenths of a second", hint="100")
    return (int(text) + 5) // 10
