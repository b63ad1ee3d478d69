# SPDX-License-Identifier: Apache-2.0
"""Homes as e2fsprogs and cryptsetup see them afterwards."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from liveos.cli.main import main
from liveos.errors import ExitStatus
from tests import light_luks
from tests.tools.operations.home.sticks import (
    MIB,
    SKELETON,
    ext4_stick,
    fat_stick,
    home_on,
    live_tree,
    run,
)

pytestmark = pytest.mark.tools

KEY = b"a key\0with any bytes\n"


def create(stick: Path, size: str, *how: str) -> int:
    return main(["home", "create", str(stick), "--size", size, "--yes", *how])


def assert_home(home: Path, scratch: Path, *, with_user: bool = True) -> None:
    """A clean ext4 with what should be in it."""
    run("e2fsck", "-fn", home)
    header = run("dumpe2fs", "-h", home).decode()
    assert re.search(r"^Filesystem volume name: +home$", header, re.MULTILINE)
    names = run("debugfs", "-R", "ls -p /", home).decode().splitlines()
    assert any(line.endswith("/040755/0/0/.//") for line in names)
    assert any("/liveuser/" in line for line in names) is with_user
    if with_user:
        assert_user(home, scratch)
    assert label_of("/", home, scratch) == b"system_u:object_r:home_root_t:s0\0"


def assert_user(home: Path, scratch: Path) -> None:
    listing = run("debugfs", "-R", "ls -p /liveuser", home).decode()
    assert "/040700/1000/1000/.//" in listing
    assert "/120777/1000/1000/link/" in listing
    assert "/100644/1000/1000/.bash rc/" in listing
    for name, content in SKELETON.items():
        out = scratch / "out"
        run("debugfs", "-R", f'dump "/liveuser/{name}" {out}', home)
        assert out.read_bytes() == content
    label = label_of("/liveuser/.config", home, scratch)
    assert label == b"unconfined_u:object_r:user_home_t:s0\0"
    label = label_of("/liveuser", home, scratch)
    assert label == b"unconfined_u:object_r:user_home_dir_t:s0\0"


def label_of(path: str, home: Path, scratch: Path) -> bytes:
    run("debugfs", "-R", f"ea_get -f {scratch}/label {path} security.selinux", home)
    return (scratch / "label").read_bytes()


def opens(volume: Path, key: bytes) -> bool:
    words = ["open", "--test-passphrase", "--disable-locks", "--key-file", "-"]
    line = ["cryptsetup", *words, str(volume)]
    return subprocess.run(line, input=key, capture_output=True, check=False).returncode == 0


def decrypted(volume: Path, key: bytes, scratch: Path) -> Path:
    """The volume decrypted by cryptsetup, in place and without its header."""
    header = scratch / "header"
    manner = ("--disable-locks", "--batch-mode", "--force-offline-reencrypt")
    line = ("reencrypt", "--decrypt", *manner, "--header", header, "--key-file", "-", volume)
    run("cryptsetup", *line, stdin=key)
    return volume


def test_plain_on_an_unmounted_stick(tmp_path: Path) -> None:
    stick = ext4_stick(tmp_path)
    assert create(stick, "40M", "--plain") == ExitStatus.DONE
    home = home_on(stick, tmp_path / "home")
    assert home.stat().st_size == 40 * MIB
    assert_home(home, tmp_path)


def test_without_an_overlay_livesys_makes_the_user(tmp_path: Path) -> None:
    stick = ext4_stick(tmp_path, used=False)
    assert create(stick, "40M", "--plain") == ExitStatus.DONE
    assert_home(home_on(stick, tmp_path / "home"), tmp_path, with_user=False)


def test_encrypted_on_an_unmounted_stick(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stick, key = ext4_stick(tmp_path), tmp_path / "key"
    key.write_bytes(KEY)
    assert create(stick, "64M", "--encrypt", "--key-file", str(key)) == ExitStatus.DONE
    volume = home_on(stick, tmp_path / "home")
    dump = json.loads(run("cryptsetup", "luksDump", "--dump-json-metadata", volume))
    (slot,) = dump["keyslots"].values()
    assert slot["kdf"]["type"] == "argon2id"
    assert dump["segments"]["0"]["encryption"] == "aes-xts-plain64"
    assert opens(volume, KEY)
    assert not opens(volume, KEY.rstrip())
    capsys.readouterr()
    assert main(["home", "status", str(stick), "--json"]) == ExitStatus.DONE
    status = json.loads(capsys.readouterr().out)
    assert status["uuid"] == run("cryptsetup", "luksUUID", volume).decode().strip()
    assert status["luks"]["key_slots"] == [{"number": 0, "kdf": "argon2id"}]
    assert status["mounting"]["way"] == "livesys"
    assert_home(decrypted(volume, KEY, tmp_path), tmp_path)


def test_two_homes_have_two_volume_keys(tmp_path: Path) -> None:
    """The same passphrase and the same content do not show that they are the same."""
    stick, key = ext4_stick(tmp_path), tmp_path / "key"
    key.write_bytes(b"same")
    volumes = []
    for number in range(2):
        assert create(stick, "48M", "--key-file", str(key)) == ExitStatus.DONE
        volumes.append(home_on(stick, tmp_path / f"home{number}").read_bytes()[16 * MIB :])
        assert main(["home", "remove", str(stick), "--yes"]) == ExitStatus.DONE
    one, other = volumes
    block = 4096
    used = [at for at in range(0, len(one), block) if any(one[at : at + block])]
    assert len(used) > 1000
    assert not any(one[at : at + block] == other[at : at + block] for at in used)


def test_on_fat(tmp_path: Path) -> None:
    stick = fat_stick(tmp_path)
    assert create(stick, "40M", "--plain") == ExitStatus.DONE
    run("fsck.fat", "-n", stick)
    home = tmp_path / "home"
    run("mcopy", "-i", stick, "::/LiveOS/home.img", home)
    assert_home(home, tmp_path, with_user=False)
    assert main(["home", "remove", str(stick), "--yes"]) == ExitStatus.DONE
    run("fsck.fat", "-n", stick)
    assert b"home" not in run("mdir", "-b", "-i", stick, "::/LiveOS")


def test_on_a_mounted_stick_it_has_all_its_room(tmp_path: Path) -> None:
    """A home must not run dry because others have filled the stick."""
    tree = live_tree(tmp_path, used=True)
    assert create(tree, "40M", "--plain") == ExitStatus.DONE
    home = tree / "LiveOS/home.img"
    assert home.stat().st_blocks * 512 >= 40 * MIB
    assert_home(home, tmp_path)
    assert main(["home", "remove", str(tree), "--yes"]) == ExitStatus.DONE
    assert not home.exists()


def test_no_room(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stick = ext4_stick(tmp_path)
    before = stick.read_bytes()
    assert create(stick, "200M", "--plain") == ExitStatus.NO_SPACE
    assert "free" in capsys.readouterr().err
    assert bool(stick.read_bytes() == before)


def test_a_home_that_exists_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stick = ext4_stick(tmp_path)
    assert create(stick, "40M", "--plain") == ExitStatus.DONE
    before = stick.read_bytes()
    assert create(stick, "40M", "--plain") == ExitStatus.REFUSED
    assert "exists" in capsys.readouterr().err
    assert main(["home", "remove", str(stick), "--dry-run"]) == ExitStatus.DONE
    assert "every file in it" in capsys.readouterr().out
    assert bool(stick.read_bytes() == before)


def test_a_left_over_makes_way(tmp_path: Path) -> None:
    stick = ext4_stick(tmp_path)
    debris = tmp_path / "debris"
    debris.write_bytes(b"d" * 5000)
    run("debugfs", "-w", "-f", "-", stick, stdin=f"write {debris} /LiveOS/home.img.new\n".encode())
    assert create(stick, "40M", "--plain") == ExitStatus.DONE
    home_on(stick, tmp_path / "home")
    assert b"home.img.new" not in run("debugfs", "-R", "ls -p /LiveOS", stick)


def as_nobody(*words: str) -> subprocess.CompletedProcess[bytes]:
    become = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
    return subprocess.run([*become, *words], capture_output=True, check=False)


def nobody_has_python() -> bool:
    """Whether this interpreter, which may lie in root's own directory, is there for all."""
    return as_nobody(sys.executable, "-c", "import liveos").returncode == 0


@pytest.mark.root
def test_an_ordinary_user_can_do_it(tmp_path: Path) -> None:
    """Neither loop devices nor device-mapper, nor any right but to the stick's file."""
    if not nobody_has_python():
        pytest.skip("the interpreter is root's own")
    # Not below pytest's own directory, which only its user may enter.
    with TemporaryDirectory() as open_to_all:
        Path(open_to_all).chmod(0o755)
        create_as_nobody(Path(open_to_all), tmp_path)


def create_as_nobody(directory: Path, scratch: Path) -> None:
    stick, key = directory / "stick.img", directory / "key"
    shutil.move(ext4_stick(scratch), stick)
    key.write_bytes(b"geheim")
    stick.chmod(0o666)
    key.chmod(0o644)
    words = ["home", "create", str(stick), "--size", "64M", "--key-file", str(key), "--yes"]
    done = as_nobody(*light_luks.command(*words))
    assert done.returncode == 0, done.stderr
    volume = home_on(stick, scratch / "home")
    assert opens(volume, b"geheim")
    assert_home(decrypted(volume, b"geheim", scratch), scratch)
