# SPDX-License-Identifier: Apache-2.0
"""Virtual machines: QEMU, its monitor, its serial ports, and firmware for it."""
