# SPDX-License-Identifier: Apache-2.0
"""Filesystems that are made with their files in them, because nothing changes them unmounted."""
