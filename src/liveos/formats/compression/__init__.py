# SPDX-License-Identifier: Apache-2.0
"""Compressed data: whole streams, and single blocks of filesystems."""
