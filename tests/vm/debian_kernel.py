# SPDX-License-Identifier: Apache-2.0
"""Debian kernels with their device-mapper modules, packed for a start in a few seconds.

A kernel is fetched by apt into a private state directory (no root, nothing installed), once for
each suite, and kept in the test cache. ``python3 -m tests.vm.snapshot_guest`` fetches what is
missing, so that tests need only read it.
"""

import fcntl
import hashlib
import io
import lzma
import os
import re
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MIRROR = "http://deb.debian.org/debian"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
PACKAGE = "linux-image-cloud-amd64"
# In the order of their dependencies. What a kernel has built in is not among its files.
MODULES = (
    "virtio", "virtio_ring", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci",
    "virtio_blk", "dax", "dm-mod", "dm-bufio", "dm-snapshot", "dm-delay", "dm-flakey", "loop",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class GuestKernel:
    """A kernel image and an initramfs with its modules and a few programs."""

    suite: str
    image: Path
    initramfs: Path


def cache_directory() -> Path:
    """Where test images and kernels are kept between runs."""
    named = os.environ.get("LIVEOS_TEST_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "liveos-tests"


def guest_kernel(suite: str) -> GuestKernel:
    """The newest kernel of a Debian suite at the time of the first call."""
    home = cache_directory() / "kernels" / f"{suite}-{_recipe()}"
    kernel = GuestKernel(suite, home / "vmlinuz", home / "initramfs")
    if kernel.initramfs.exists():
        return kernel
    home.mkdir(parents=True, exist_ok=True)
    with _locked(home / "lock"):
        if not kernel.initramfs.exists():
            _forget_others(home, suite)
            _build(kernel, _downloaded(suite, home))
    return kernel


def _forget_others(home: Path, suite: str) -> None:
    """Remove what older recipes made."""
    for path in home.parent.glob(f"{suite}-*"):
        if path != home:
            shutil.rmtree(path)


def _recipe() -> str:
    """Changes with anything that this module would do differently."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _downloaded(suite: str, home: Path) -> Path:
    """The package file, through apt, which checks the archive's signature."""
    state = home / "apt"
    for directory in ("lists/partial", "cache/archives/partial", "etc"):
        (state / directory).mkdir(parents=True, exist_ok=True)
    (state / "status").touch()
    source = f"deb [arch=amd64 signed-by={KEYRING}] {MIRROR} {suite} main\n"
    (state / "sources.list").write_text(source)
    options = [
        f"Dir::State={state}", f"Dir::State::status={state}/status", f"Dir::Cache={state}/cache",
        f"Dir::State::lists={state}/lists", f"Dir::Etc={state}/etc",
        f"Dir::Etc::sourcelist={state}/sources.list", "Dir::Etc::sourceparts=/dev/null",
        "APT::Architecture=amd64", "Acquire::Languages=none", "APT::Sandbox::User=root",
    ]  # fmt: skip
    flags = [word for option in options for word in ("-o", option)]
    _output("apt-get", *flags, "-q", "update")
    depends = _output("apt-cache", *flags, "depends", PACKAGE)
    found = re.search(r"Depends: (linux-image-\S+)", depends)
    assert found, f"{PACKAGE} of {suite} names no kernel: {depends}"
    _output("apt-get", *flags, "-q", "download", found[1], cwd=state)
    return next(state.glob("linux-image-*.deb"))


def _build(kernel: GuestKernel, package: Path) -> None:
    unpacked = package.parent / "unpacked"
    _output("dpkg-deb", "-x", str(package), str(unpacked))
    shutil.copyfile(next(unpacked.glob("boot/vmlinuz-*")), kernel.image)
    files = {"init": _INIT, "dev/": b"", "proc/": b"", "sys/": b"", "work/": b""}
    files |= {f"modules/{name}.ko": data for name, data in _modules(unpacked)}
    files |= dict(_programs("/bin/busybox", "dmsetup", "dd"))
    partial = kernel.initramfs.with_suffix(".part")
    partial.write_bytes(cpio(files))
    partial.rename(kernel.initramfs)
    shutil.rmtree(package.parent)


def _modules(unpacked: Path) -> Iterator[tuple[str, bytes]]:
    for number, name in enumerate(MODULES):
        for path in unpacked.glob(f"**/kernel/**/{name}.ko*"):
            data = path.read_bytes()
            yield f"{number:02}-{name}", lzma.decompress(data) if path.suffix == ".xz" else data


def _programs(*names: str) -> Iterator[tuple[str, bytes]]:
    """Programs of this machine with the libraries that they load.

    ``dd`` is there because busybox's goes through the page cache even with ``oflag=direct``; call
    it by its path, for busybox's shell prefers its own.
    """
    for name in names:
        path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
        assert path, f"{name} is not installed"
        yield f"bin/{Path(path).name}", Path(path).read_bytes()
        libraries = subprocess.run(["ldd", path], capture_output=True, text=True, check=False)
        for library in re.findall(r"(/\S+)", libraries.stdout):
            yield library.lstrip("/"), Path(library).read_bytes()


def cpio(files: dict[str, bytes]) -> bytes:
    """A newc archive, as the kernel unpacks it; names that end in a slash are directories."""
    archive = io.BytesIO()
    for number, (name, data) in enumerate(_with_parents(files).items(), start=1):
        mode = stat.S_IFDIR if name.endswith("/") else stat.S_IFREG
        _add(archive, name.rstrip("/"), data, number, mode | 0o755)
    _add(archive, "TRAILER!!!", b"", 0, 0)
    return archive.getvalue().ljust(-(-archive.tell() // 512) * 512, b"\0")


def _with_parents(files: dict[str, bytes]) -> dict[str, bytes]:
    complete: dict[str, bytes] = {}
    for name, data in files.items():
        for parent in reversed(Path(name).parents[:-1]):
            complete.setdefault(f"{parent}/", b"")
        complete[name] = data
    return complete


def _add(archive: io.BytesIO, name: str, data: bytes, number: int, mode: int) -> None:
    spelled = name.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(spelled), 0)
    archive.write(b"070701" + "".join(f"{value:08x}" for value in fields).encode())
    for part in (spelled, data):
        archive.write(part)
        archive.write(bytes(-archive.tell() % 4))


def _output(*argv: str, cwd: Path | None = None) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=cwd)
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done.stdout


def tar_members(data: bytes | Path) -> Iterable[tuple[str, bytes]]:
    """Regular files of a tar archive, by their names without a leading ``./``."""
    source = data.open("rb") if isinstance(data, Path) else io.BytesIO(data)
    with source, tarfile.open(fileobj=source) as archive:
        for member in archive:
            body = archive.extractfile(member) if member.isfile() else None
            if body:
                yield member.name.removeprefix("./"), body.read()


_INIT = b"""#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin DM_DISABLE_UDEV=1
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
exec >/dev/ttyS0 2>&1
mkdir -p /dev/mapper
mount -t tmpfs -o size=90% none /work
for module in /modules/*.ko; do insmod $module; done
mkdir -p /work/out
cp -r /in /work/in
cd /work
sh /work/in/script >/work/out/log 2>&1
echo $? >/work/out/status
dmesg >/work/out/dmesg
tar cf /dev/vda -C /work/out .
sync
poweroff -f
"""
