# SPDX-License-Identifier: Apache-2.0
"""Firmware descriptions, as QEMU's docs/interop/firmware.json specifies them."""

import json
from pathlib import Path

import pytest

from liveos.errors import ToolMissingError
from liveos.host.machine.firmware import FirmwareKind, find_uefi, installed


def describe(
    directory: Path,
    name: str,
    features: tuple[str, ...] = (),
    machine: str = "pc-q35-*",
    mapping: dict[str, object] | None = None,
    architecture: str = "x86_64",
) -> None:
    directory.mkdir(exist_ok=True)
    files = {}
    for role in ("code", "vars"):
        files[role] = directory / f"{name}-{role}.fd"
        files[role].write_bytes(b"")
    document = {
        "interface-types": ["uefi"],
        "mapping": mapping
        or {
            "device": "flash",
            "executable": {"filename": str(files["code"]), "format": "raw"},
            "nvram-template": {"filename": str(files["vars"]), "format": "qcow2"},
        },
        "targets": [{"architecture": architecture, "machines": [machine]}],
        "features": list(features),
    }
    (directory / f"{name}.json").write_text(json.dumps(document))


def code_name(kind: FirmwareKind, directory: Path) -> str:
    firmware = find_uefi(kind, (directory,))
    assert firmware is not None
    return firmware.code.path.name


def test_the_bios_needs_no_file(tmp_path: Path) -> None:
    assert find_uefi(FirmwareKind.BIOS, (tmp_path,)) is None


def test_each_kind_gets_its_own_build(tmp_path: Path) -> None:
    describe(tmp_path, "40-keys", ("secure-boot", "enrolled-keys", "requires-smm"))
    describe(tmp_path, "50-no-keys", ("secure-boot", "requires-smm"))
    describe(tmp_path, "60-plain")
    assert code_name(FirmwareKind.UEFI_SECURE, tmp_path) == "40-keys-code.fd"
    assert code_name(FirmwareKind.UEFI, tmp_path) == "60-plain-code.fd"


def test_formats_and_features_are_carried_over(tmp_path: Path) -> None:
    describe(tmp_path, "a", ("secure-boot", "enrolled-keys", "requires-smm"))
    (firmware,) = installed((tmp_path,))
    assert (firmware.code.format, firmware.variables.format) == ("raw", "qcow2")
    assert firmware.requires_smm


@pytest.mark.parametrize(
    ("machine", "architecture", "mapping"),
    [
        ("pc-i440fx-*", "x86_64", None),
        ("pc-q35-*", "aarch64", None),
        ("pc-q35-*", "x86_64", {"device": "memory", "filename": "/x"}),
        ("pc-q35-*", "x86_64", {"device": "flash", "mode": "stateless", "executable": {}}),
        ("pc-q35-*", "x86_64", {"device": "flash"}),
    ],
)
def test_firmware_for_other_machines_is_left_out(
    tmp_path: Path, machine: str, architecture: str, mapping: dict[str, object] | None
) -> None:
    describe(tmp_path, "a", (), machine, mapping, architecture)
    assert list(installed((tmp_path,))) == []


def test_a_broken_description_hides_no_other(tmp_path: Path) -> None:
    describe(tmp_path, "b")
    (tmp_path / "a.json").write_text("{ not json")
    (tmp_path / "c.json").write_text("[]")
    assert len(list(installed((tmp_path,)))) == 1


def test_the_administrators_file_hides_the_packaged_one(tmp_path: Path) -> None:
    describe(tmp_path / "etc", "a", ("secure-boot", "enrolled-keys"))
    describe(tmp_path / "usr", "a")
    (firmware,) = installed((tmp_path / "etc", tmp_path / "usr"))
    assert firmware.secure_boot


def test_a_description_whose_files_are_gone_does_not_count(tmp_path: Path) -> None:
    describe(tmp_path, "a")
    (tmp_path / "a-vars.fd").unlink()
    with pytest.raises(ToolMissingError, match="no UEFI firmware") as caught:
        find_uefi(FirmwareKind.UEFI, (tmp_path,))
    assert "apt install ovmf" in str(caught.value.hint)
