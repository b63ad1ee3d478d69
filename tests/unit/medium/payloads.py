# SPDX-License-Identifier: Apache-2.0
"""Tiny root images, made once by mke2fs 1.47, mksquashfs 4.5.1 and mkfs.erofs 1.5.

All hold the same tree: ``usr/lib``, ``proc``, ``boot`` and ``etc/os-release``. They are real ones,
so that tests without tools still read what other programs have written.
"""

import base64
import lzma


def _image(text: str) -> bytes:
    return lzma.decompress(base64.b64decode(text))


# xz; LiveOS/rootfs.img (as BARE_EXT4)
NESTED_ROOTFS = _image(
    "/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM4AQLAz5dADQcymryImUaTy6l9uLHzFuGhrvrh3Ub7ksgKkEOObq0n1dl8q"
    "DIfRamGj49GWoWLAnS4bKANT3FPxt7bY3LFfUslb8xapbA9YKWa84nnlxiX0E5s7WbrTuzhppqM7AAfp8v0FRQzVYa"
    "zIo/9uRk2h/nc2ZeZrHcfENhcGc+ROmDDFzsb974pdVHNqno0nf0+0jSaJOBPjgGPYQl1JEWIHQ7ZC5AgPoJBTpjiY"
    "3IoEZPAbvOr+eZLh3zQg2xpdn13m1to/ZNjHYy7sBIVwoc0qVAVFJS4tEbLMNWq+NrXxx4eZcMuqeQwXbhHT2O4Vzr"
    "a49bNi0uyf/JUlOINy37NaObqneQr+coaYIrfNDiTJluX14gTo6Iyezie/wA51kSflY615QqAoOQq3rCPRv01vTgui"
    "QqAZoYjpZRBVoaH4nwOT6gfzOVPcI01cjsJPlhxAPlzHcu/ZX09YiQi9kVR8piTwiyd48DY1sFqi0d+WWaIZkKIhwh"
    "Bdrm1ubyz5ZuJWY2FvHPem2K1a5/Kc1qCLAs3XV3tIScHe+pSOy1FhWW5vdrWmqlQRE1j0fUiKc3bSMWdbm4ZvWFnz"
    "8V143CKn5xLltSvVyD05/jymie6EltpaZAU7TEp1oBBC/P/AzElNsvX6188pKz4ifvObPCR4Y4dDPRQM8jxThaFFO/"
    "lDfg11WzWdwdRaVzXVPlKZekj89VAhe0Kg0ghWd3FlGxJ2Eu4g2C51YN9gEJy7JLr07V9k+vgzLqlMtfyamz9luNck"
    "zggDDuW+xOqXLENDr/wAs2AABJjGvvkJJojHbwI3Z8ntKiPdsKTH+E52SIng1oUEytSqrrir0KQU6xErliaemm94Oo"
    "7nA4Udx4mUaTHp3L3+odkwUievDwEcKnMMWCalqnR/6yhmGIX+VqW7uQwxhfuz3Y0kse+GEtDzx8LTV1xAFatruKUM"
    "tCRUOyaO8lzGAU5pYBdeZ7v5193ZZs/EVeO5JOkuGdfK5sOSXISuQIh9cJObB0a4JmEeFxs5KBBGlEhN+VfXYev/6I"
    "tBrKDkfZ6U2AtmBTD4YM5SqOvaKDiKw+bbalUCt+NAwoNKSzADsPV4wARumiG0RPGu+cAAAApGYteTOWhT8AAdoGjA"
    "gAAA9GLFaxxGf7AgAAAAAEWVo="
)

# gzip; LiveOS/ext3fs.img, labelled _Fedora-14-x86_6
NESTED_EXT3FS = _image(
    "/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM4AQXAyZdADQcymryImUaTy6lxTCvajtmuG7sQtXApjm9ojf1cfQVeVbhGs"
    "KwOpIKVd1We7TH97vQi0vC4c1O9cCoKjdDn5qBkRcFqzVMAXAkYXCGbkvHC1kjVYgslUkMIhvRnC2VZPXGSQ2gdPcq"
    "JaFuydpoa6NCIRiQSpaDleBlhYBGUoWmxzjiRIJq7m759swTxO1A5+4KgiUwUSCoA6ue/EpM8Iug+C0iyQcRairm6J"
    "mb/2/Ylu3Os5OAhzHGeLs3Kb+rhUIT04MJDNS3JOsGCXjfSmPQ0hv6fBXJRkGtkAc0d8a6X0HOE1dyRN00IySzEWAz"
    "jsUmsO2gffmgFKsC1YfwwtR5UP67LNiUcjVSk+9YUlSI4fMQELzXCkVTcWs+rQqB47qY3waLc52az/UHY3fb1qYPZd"
    "B8cBFdXFQTKZ7ZZhyFAYgRX4qVwohcPqSjhk1tTRWbURXMDitE918CGZHpnxZ1DY6uxo7yWGt81uf3Juk4Q3Wd4rmf"
    "F6leNcNY18797NvVfpcXFMAnabwl1/HKxf0VUpRFOpfBGTXtRbduaHPZTmdo29nRuwJwIJzPMHZy9uGM3jznuU1+j4"
    "xkJtK1e8/MglwKQLX8hsvzEKBGtKx8GWZWDU4r1g8d+lnshtF7ZD2UtDhyLJ3etjUf0x3GW4OfOpo+04qiiRCnA683"
    "hCt6QEf06ns1aCIc18wNhhWxrkeUsvWZn4ChiqBR4GHVZCRLJ9lTYOxH8eofIcuuRcbZQBANPpQ0aX1+TaIwxQj06Y"
    "xolkRtxtNtvjX0N5rwaru0ystYwpueRPOfJLf7K6F6bBMjhtDidJT9kQ2om1rD3SiJDPKm6fYyvcAbKtLE4gJmhMrj"
    "TueV8bYLfucmPHBRf9ZR6V3BHWblyeSpu3ehs5TqcZYY7Rw6sdS9fODoYAhUh9Pt2ecaEiZ1ap6Lwq6J5UM6Wg3YRR"
    "8YuAfg0Qqv79GcUxM2rN91BPHp6dvX1uttWmGlvS3HODGOvoA4PsYGVCztCDRLR5zFcVmEq8fwGKIP+vbpuKKmQmYn"
    "zRolC5kKoGS4dYdpk0ADyKA8CtKO6eHFwe7AAAAA+kzSFWBUyngAAcIGmAgAADEG0maxxGf7AgAAAAAEWVo="
)

# gzip; os.img and an empty sysroot, as before Fedora 9
HOLDS_OS_IMG = _image(
    "/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM4AQPAxtdADQcymryImUaTy6lxTCvajtmuG7sQtTE2D2qYta3jIcxoyTiB8"
    "Mh4H9nqlM6a9tIYpSLxyCzGQf4OgiDxdnl+PJv5UDFbCZ4OCW9aO1FRl8PO6CU0LkM8JmHbp1Oxmq3Zl4LDcH26ctk"
    "1eyPueEsKKRw/oyRhftgPOibdwtPz22i/djK7wK06H22N613t5yVC9+f2lFI1PWt8V7NrvyYApBOmRq3WffZqOB/RK"
    "PKbwunKiabmgtUhMhoJ81HtirQk7m6mPmSH1hH5Zdn5YezGNmRVT/D98KFIQPbVppaggq+7SrAMyYdf3bf8B7E7is1"
    "6KxbkvkUUtwGmRNiSBr9ShTxdRIrpHHCQw8zqR5LvyM5UfcaGSflBig0YeW8kMEjON2AwFNsndeqsP5Fi4degTA+kT"
    "o7GTzfRth6hIVgFJRaA1ndU150QTeXEfwxY31tD90HSzEmGy4hFw9CQmd++jS8JMTJ75Odn10sASy+rcdale7VvPyq"
    "QBuNSaI2U2MWHaD3LTgpjwGEH9SaqOaAAgiI7BeE1NZQrW21qoKmnYi9xq7j7gdfRFTBnsqlnFTcPARqLm1s7IQaN4"
    "jDL0TGy/bY1bu0C7NxZCtpaNnKVZzkjGhXeqV56h+B0bl5jMxAdcyotnkg3WgVyu7GWsei2TNHqjsXh+bHT7VeZQEK"
    "F47KkrCZwJ7RS1HXkVM4hdDKrAEKkTDa4vnQLdgsAdB2Kg/MIHcJIOot5G0btD8M3OfoJk3mKyJWEdcxkOyW0DwXUV"
    "JwhrO/zLN3CiPXNuEQ/4b7ulK5CXBltIzY6jBFet9M8XPdICiapWDyqUs/geaT3NYJO6bGo9FAgwIu6TV7QhVjz8yo"
    "vGzMJTqM3HeiNcDpI7raNSt3l6U2IdvOltneFxy0YHBUpoHMTd0PTp52l96usZ+WA3AcA66FGnj6F0TQqGF/2U/Rrb"
    "JrzK1T2B7E1WfjgNfQ3EDIlOm7VwikTGF4Ba4ctuqwJ97scCbsZ6lcEAhOpN3dk/Y3avBhxSRDzWKAOagMgV9dUsEt"
    "B5DFIibdBk3xN2wgSBVVYAAA8fUSE++vQ28AAbcGkAgAAKyyifixxGf7AgAAAAAEWVo="
)

# xz; usr, proc, etc, boot
FLAT_SQUASHFS = _image(
    "/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM4AG9AQ9dADQcymryWpkaTULirDPPUAecGfnkcxxmeEZ4rV1vKBJesuurVC"
    "DSikugt9opA6NXlIBVcBbwarMvPeXn6sTm6g3J4kFvVP8EW39eGS4aNMUvLD7oaTbgn1iRtx2V9U2HPg8yQKTJscN9"
    "17b34POYeDV+8BCNIqOEPbu1VKWfJ/uOPNb2hf/8fTcwODXBV0prJn8ZEwShNZeUWM5+EZl5YWg46//oVZ02yvJIX+"
    "/cNFk//uJawGf4gAzaN2TrUZb7CLVoq95KhufvjTBNhax7rR8zSS2mO436+k69GHRxfMfNXKv+9+Pn5q0PGoB3Rt7A"
    "MjeTjmQ+phg821RncY/oLS6DMyq2ADnsWDeKJqixAAAAAP5b1FqHZBfEAAGrAr4DAABg4aU1scRn+wIAAAAABFla"
)

# lz4hc; the same tree
FLAT_EROFS = _image(
    "/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM4A//AMxdAABv/f//o7d/8E0xH9tC3ysYBfOoiGMaBlqQwjdE/9bfGjuzlV"
    "me1UG2DETe9NeqML1zmW1VyP/WkH33Zy5Hd/D1Sd+uefISlChBdMD0kWitECg3M6QfIl/HbBuwhS8WmMWtKvMUy8mD"
    "EyCbpySMw6JW+QCEGmnFoDchxva4pj5jDigv0JPuAn2TpBsGc7ZTrXn+xR0kc9plMkyUbnmuwze+YRzY62QLR77W8m"
    "QM1O7RT2bmq+bEGp43YCmsml0vcfglqH80oiJttY/qAAAtBrln8O1SzgAB6AGAIAAAWZQ20bHEZ/sCAAAAAARZWg=="
)

# ext4, labelled Anaconda: dumpe2fs says 64 blocks of 4096, 44 of them free
BARE_EXT4 = _image(
    "/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM4///Ah1dAABv/f//o7d/dq9QTa5IHD6htKqa4nrpFHvRoO96NEsuov2DSl"
    "zMhY8U99gfqUAd7kuXlr9tr/yjic5ueWjP28mnR7kfKQvqZgIyxK+v0x6IKYMLzqG4BMHZi7pQhbMUraklcmBRICkF"
    "DS7KGYjSiKEBLbor0VFKW6jPwIvulNdRlS/0gJ+QD+sMGHzBqBV43MK+cx3D6Vq6iG3v/TGv97JziGATRj2/IlBJvs"
    "uPiDhrveY02arXGYvx0nzm4GgTHF/DgQlBAyEmVas6/8SnJc/SdQY5fQRiQ0YcuB2m2DgMWrNsWgFat7aeVwo3KSkF"
    "Tn8zl0Qd4hgQtjyGboRI/E0S+/KRxEpSFO8XolGlef+qFfP3ZJKL4tXVss4HhIJESz9XCng2p8bmQaQPvaWTOdC7+Y"
    "91yQbaxeZrdO+e+F3xPFlKQBaOE4s/kdbvILjVW2DoA2DLURilxjsvPgCZymYMQzIFM9Pz6n0koaq2MWicgsvA51QK"
    "mCGv6nT4lQqJX9zAvUZt3K2nYdNTYd+mBPuYZnyfION64Zx2XYwS9GxLXuXR6ZvmIVZDWa5PTPzJz+D0mTPEq17T1T"
    "yWdZcEPufZ/QaH+/8pY9vOzkejrFFPCKihHPv/8yVSlHedEDWiU/g5B53dw/xsDmL181AHPz0M6Ey3GDX01vwp2G6Q"
    "DXDwHiwoZKvisBQQl6M3q2jNkQh2BjBh0gGh5lhIEAAAAAAAmzuuGac3/CoAAbkEgIAQAEqPvk2xxGf7AgAAAAAEWV"
    "o="
)
