# SPDX-License-Identifier: Apache-2.0
"""The machine: programs, block devices, filesystems in files, QEMU, copying."""
