# SPDX-License-Identifier: Apache-2.0
"""The kernel's own device-mapper snapshot as an oracle: a script, some files in, some files out."""

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.vm.debian_kernel import cpio, guest_kernel, tar_members

# The kernels that stores are compared with: suite of Debian, and the series of its kernel.
SUITES = {"bookworm": "6.1", "trixie": "6.12"}
_OUTPUT_SIZE = 256 << 20


@dataclass(frozen=True, slots=True)
class GuestResult:
    """Files that the script left in ``/work/out``, and its status."""

    files: dict[str, bytes]

    def text(self, name: str) -> str:
        """A file's text without the newline at its end."""
        return self.files[name].decode().rstrip("\n")


def run_guest(
    suite: str, script: str, inputs: dict[str, bytes], *, seconds: int = 900
) -> GuestResult:
    """Run a shell script in a guest; ``inputs`` lie in ``/work/in``, results in ``/work/out``.

    The script starts with the functions of `LIBRARY` and stops at the first failing command.
    """
    kernel = guest_kernel(suite)
    with tempfile.TemporaryDirectory(prefix="liveos-guest-") as name:
        home = Path(name)
        files = {f"in/{path}": data for path, data in inputs.items()}
        files["in/script"] = f"set -e\n{LIBRARY}\n{script}\n".encode()
        (home / "initramfs").write_bytes(kernel.initramfs.read_bytes() + cpio(files))
        with (home / "output").open("wb") as output:
            output.truncate(_OUTPUT_SIZE)
        console = _boot(kernel.image, home, seconds)
        results = dict(tar_members(home / "output"))
    assert "status" in results, f"the guest gave no result:\n{console[-3000:]}"
    log = results["log"].decode(errors="replace")
    dmesg = results["dmesg"].decode(errors="replace")
    assert results["status"].strip() == b"0", f"{log[-3000:]}\n{dmesg[-3000:]}"
    return GuestResult(results)


# Without cmpxchg16b: a guest of QEMU 7.2 once panicked right behind one, with corrupted flags.
def _boot(image: Path, home: Path, seconds: int) -> str:
    argv = [
        "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max,-cx16", "-smp", "2",
        "-m", "1500", "-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio",
        "-kernel", str(image), "-initrd", str(home / "initramfs"),
        "-append", "console=ttyS0 panic=-1 quiet",
        "-drive", f"file={home}/output,format=raw,if=virtio,cache=unsafe",
    ]  # fmt: skip
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False
    )
    return (done.stdout + done.stderr).decode(errors="replace")


# snap NAME ORIGIN STORE OPTION CHUNK [TARGET]: load a store over an origin, both files.
# unload NAME: take the device away; flushes nothing that the kernel would not flush itself.
LIBRARY = r"""
loop_of() { losetup -a | while IFS=: read device rest; do
    case "$rest" in *" $1"|*"($1)"*) echo $device; break;; esac; done; }
attach() {
    [ -n "$(loop_of $1)" ] && return
    device=$(losetup -f)
    losetup $device $1
}
sectors() { blockdev --getsz $1; }
snap() {
    attach $2; attach $3
    origin=$(loop_of $2); store=$(loop_of $3)
    dmsetup create $1 --table "0 $(sectors $origin) ${6:-snapshot} $origin $store $4 $5"
}
status() { dmsetup status $1 | cut -d' ' -f4-; }
unload() { dmsetup remove $1; }
detach() { device=$(loop_of $1); [ -z "$device" ] || losetup -d $device; }
hash() { sha256sum <$1 | cut -d' ' -f1; }
put() {  # put DEVICE BLOCK_SIZE SEEK SKIP COUNT: direct writes from in/writes, one per block
    /bin/dd if=in/writes of=$1 bs=$2 seek=$3 skip=$4 count=$5 oflag=direct conv=notrunc 2>/dev/null
}
"""


if __name__ == "__main__":
    for name in SUITES:
        print(guest_kernel(name).image)  # noqa: T201 - what was asked for
