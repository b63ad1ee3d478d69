# SPDX-License-Identifier: Apache-2.0
"""Tests that boot a guest in QEMU."""
