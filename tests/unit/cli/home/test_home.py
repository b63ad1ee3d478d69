# SPDX-License-Identifier: Apache-2.0
"""The words of ``liveos home``: who is asked what, and what is shown."""

import io
import json
import sys
from pathlib import Path

import pytest

from liveos.cli.home import passphrase
from liveos.cli.home.create import create
from liveos.cli.main import main
from liveos.cli.verbs import HOME_VERBS
from liveos.errors import ExitStatus, NotPermittedError, RefusedError, UsageError
from tests.unit.formats.test_luks import LUKS2
from tests.unit.medium.payloads import BARE_EXT4


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    (tmp_path / "LiveOS").mkdir()
    (tmp_path / "LiveOS/rootfs.img").write_bytes(BARE_EXT4)
    return tmp_path


def test_summaries_are_those_of_the_functions() -> None:
    assert HOME_VERBS["create"] == str(create.__doc__).splitlines()[0]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def at_a_terminal(monkeypatch: pytest.MonkeyPatch, *typed: str) -> None:
    words = iter(typed)
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(passphrase, "getpass", lambda _prompt, _stream: next(words))


def test_a_passphrase_is_asked_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    at_a_terminal(monkeypatch, "grün", "grün")
    with passphrase.new_key(None) as key:
        assert key.secret() == "grün".encode()


@pytest.mark.parametrize(
    ("answer", "asked_for"), [("\n", True), ("y\n", True), ("n\n", False), ("", True)]
)
def test_encryption_is_proposed(
    answer: str, monkeypatch: pytest.MonkeyPatch, stick: Path, *, asked_for: bool
) -> None:
    """This image mounts no home; the refusal says of which kind."""
    at_a_terminal(monkeypatch)
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert main(["home", "create", str(stick), "--size", "64M"]) == ExitStatus.UNSUPPORTED
    assert "Encrypt the home? [Y/n]" in terminal.getvalue()
    assert ("cryptsetup" in terminal.getvalue()) is asked_for


def test_two_that_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    at_a_terminal(monkeypatch, "one", "other")
    with pytest.raises(RefusedError, match="differ"), passphrase.new_key(None):
        pass


def test_none_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    at_a_terminal(monkeypatch, "", "")
    with pytest.raises(RefusedError, match="empty"), passphrase.new_key(None):
        pass


def test_nobody_to_ask() -> None:
    with pytest.raises(RefusedError, match="nobody"), passphrase.new_key(None):
        pass


def test_key_files_are_taken_byte_for_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = b"\0\xff line\n"
    (tmp_path / "key").write_bytes(secret)
    with passphrase.new_key(str(tmp_path / "key")) as key:
        assert key.secret() == secret
        assert str(tmp_path / "key") in str(key)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(secret)))
    with passphrase.new_key("-") as key:
        assert key.secret() == secret


def test_key_files_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="No such file"), passphrase.new_key(str(tmp_path / "x")):
        pass
    with pytest.raises(UsageError, match="directory"), passphrase.new_key(str(tmp_path)):
        pass
    (tmp_path / "key").touch()
    with pytest.raises(RefusedError, match="empty"), passphrase.new_key(str(tmp_path / "key")):
        pass

    def refuse(*_words: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(NotPermittedError), passphrase.new_key(str(tmp_path / "key")):
        pass


@pytest.mark.parametrize("other", [["--encrypt"], ["--key-file", "k"]])
def test_plain_and_encrypted(
    other: list[str], stick: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["home", "create", str(stick), "--size", "64M", "--plain", *other]
    assert main(line) == ExitStatus.USAGE
    assert "contradict" in capsys.readouterr().err


def test_nobody_says_whether_to_encrypt(stick: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["home", "create", str(stick), "--size", "64M", "--yes"]) == ExitStatus.USAGE
    assert "--encrypt with --key-file" in capsys.readouterr().err


def test_an_image_that_cannot_mount_it(stick: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["home", "create", str(stick), "--size", "64M", "--plain", "--yes"]
    assert main(line) == ExitStatus.UNSUPPORTED
    assert "would not mount home.img" in capsys.readouterr().err
    assert not (stick / "LiveOS/home.img").exists()


def test_status(stick: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["home", "status", str(stick)]) == ExitStatus.DONE
    assert "none" in capsys.readouterr().out
    (stick / "LiveOS/home.img").write_bytes(LUKS2)
    assert main(["home", "status", str(stick)]) == ExitStatus.DONE
    shown = capsys.readouterr().out
    assert "LUKS2, aes-xts-plain64, 4096 bytes" in shown
    assert "0 (pbkdf2), 1 (argon2id)" in shown
    assert main(["home", "status", str(stick), "--json"]) == ExitStatus.DONE
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "liveos/home-status/1"
    assert document["kind"] == "encrypted"
    assert document["luks"]["key_slots"] == [
        {"number": 0, "kdf": "pbkdf2"},
        {"number": 1, "kdf": "argon2id"},
    ]
    assert document["used_size"] is None
    assert document["mounting"]["way"] == "none"


def test_remove(stick: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = stick / "LiveOS/home.img"
    home.write_bytes(BARE_EXT4)
    assert main(["home", "remove", str(stick)]) == ExitStatus.REFUSED
    assert home.exists()
    assert main(["home", "remove", str(stick), "--dry-run", "--json"]) == ExitStatus.DONE
    capsys.readouterr()
    assert home.exists()
    assert main(["home", "remove", str(stick), "--yes", "--json"]) == ExitStatus.DONE
    assert json.loads(capsys.readouterr().out)["path"] == str(home)
    assert not home.exists()
    assert main(["home", "remove", str(stick), "--yes"]) == ExitStatus.UNSUPPORTED
