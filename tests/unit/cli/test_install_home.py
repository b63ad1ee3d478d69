# SPDX-License-Identifier: Apache-2.0
"""What ``liveos install`` asks for a home, and what it refuses before it looks at anything."""

import io
import sys
from pathlib import Path

import pytest

from liveos.cli.home import passphrase
from liveos.cli.install_home import home_request, needs_key, wish, with_key
from liveos.cli.main import main
from liveos.errors import ExitStatus, RefusedError, UsageError
from liveos.operations.install.sizes import AUTO
from liveos.operations.install.stick import HomeRequest, InstallRequest
from liveos.operations.plan import Plan
from liveos.sizes import Size

GIB = 1 << 30


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def at_a_terminal(monkeypatch: pytest.MonkeyPatch, answer: str = "") -> Terminal:
    shown = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    monkeypatch.setattr(sys, "stderr", shown)
    return shown


def asked(size: str | None = "4G", **changes: object) -> HomeRequest | None:
    words: dict[str, object] = {"partition": False, "plain": False, "key_file": None}
    return home_request(size, **(words | changes))  # type: ignore[arg-type]


def test_sizes_may_be_left_to_us() -> None:
    assert wish("auto") is AUTO
    assert wish("4G") == Size(bytes=4 * GIB)
    assert wish("rest") == Size()


def test_without_a_size_there_is_no_home() -> None:
    assert asked(None) is None
    assert not needs_key(InstallRequest())


@pytest.mark.parametrize(
    "changes", [{"partition": True}, {"plain": True}, {"key_file": "k"}], ids=str
)
def test_options_of_a_home_that_is_not_wished(changes: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="none is wished"):
        asked(None, **changes)


def test_a_key_or_plain_but_not_both() -> None:
    assert asked(plain=True) == HomeRequest(Size(bytes=4 * GIB), encrypted=False)
    assert asked(key_file="k", partition=True) == HomeRequest(
        Size(bytes=4 * GIB), encrypted=True, partition=True
    )
    with pytest.raises(UsageError, match="contradict"):
        asked(plain=True, key_file="k")


def test_without_a_terminal_it_must_be_said() -> None:
    with pytest.raises(UsageError, match="nobody said"):
        asked()


@pytest.mark.parametrize(
    ("answer", "encrypted"), [("\n", True), ("y\n", True), ("n\n", False), ("no\n", False)]
)
def test_encryption_is_proposed(
    answer: str, monkeypatch: pytest.MonkeyPatch, *, encrypted: bool
) -> None:
    shown = at_a_terminal(monkeypatch, answer)
    home = asked()
    assert home is not None
    assert home.encrypted is encrypted
    assert shown.getvalue() == "Encrypt the home? [Y/n] "
    assert needs_key(InstallRequest(home=home)) is encrypted


def test_the_key_comes_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"secret\n")
    with with_key([Plan("install x", ())], str(tmp_path / "key")) as (keyed,):
        assert keyed.notes == (
            f"the key file {tmp_path / 'key'} ends with a line end, which nobody can type at boot",
        )


def test_or_from_a_person_who_types_it_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    at_a_terminal(monkeypatch)
    typed = iter(["one", "other"])
    monkeypatch.setattr(passphrase, "getpass", lambda _prompt, _stream: next(typed))
    with pytest.raises(RefusedError, match="differ"), with_key([Plan("install x", ())], None):
        pass


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--plain-home"], "--plain-home is about a home"),
        (["--home", "4G"], "nobody said"),
        (["--home", "4GB", "--plain-home"], "write 4G"),
        (["--swap", "much"], "is not a size"),
        (["--temporary", "10%"], "is not a size"),
    ],
)
def test_words_that_make_no_sense(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    iso = tmp_path / "some.iso"
    iso.write_bytes(b"no ISO")
    target = tmp_path / "stick.img"
    status = main(["install", "--size", "8G", "--yes", *words, str(iso), str(target)])
    out, err = capsys.readouterr()
    assert message in err, (out, err)
    assert status == ExitStatus.USAGE
    assert not target.exists()
