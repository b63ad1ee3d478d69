# SPDX-License-Identifier: Apache-2.0
"""GRUB's boot sector and core image; offsets as in GRUB's boot.h (0x5c, 0x66, 0x1f4)."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveos.formats.binary import FormatError
from liveos.formats.programs.grub_pc import boot_code, core_image

BOOT = bytes(0x5C) + bytes([1, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0, 0xEB, 0x05]) + b"\x90" * 408
CORE = bytes(500) + b"\x02" + bytes(7) + b"\x02\x00" + b"\x20\x08" + b"\xaa" * 600


def test_the_boot_code_gets_its_numbers() -> None:
    code = boot_code(BOOT, 8192)
    assert len(code) == 440
    assert code[0x5C:0x64] == (8192).to_bytes(8, "little")
    assert code[0x64] == 0xFF  # the drive that the BIOS names
    assert code[0x66:0x68] == b"\x90\x90"


def test_the_core_image_gets_its_block_list() -> None:
    core = core_image(CORE, 8192)
    assert len(core) == 3 * 512
    assert core[500:508] == (8193).to_bytes(8, "little")
    assert core[508:512] == CORE[508:512]
    assert core[512 : 512 + 600] == CORE[512:]


@pytest.mark.parametrize("image", [b"", bytes(512), BOOT + b"x", BOOT[:-1]])
def test_what_is_no_boot_image_is_refused(image: bytes) -> None:
    with pytest.raises(FormatError, match=r"boot\.img"):
        boot_code(image, 1)


@pytest.mark.parametrize("core", [b"", bytes(512), bytes(1024), CORE[:1024], CORE + bytes(512)])
def test_what_is_no_core_image_is_refused(core: bytes) -> None:
    with pytest.raises(FormatError, match="core image"):
        core_image(core, 1)


@given(st.binary(max_size=2048))
def test_arbitrary_bytes_never_do_harm(data: bytes) -> None:
    for function in (boot_code, core_image):
        with suppress(FormatError):
            assert function(data, 1)
