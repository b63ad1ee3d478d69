# SPDX-License-Identifier: Apache-2.0
"""Folders, on the host and in sticks, where a power cut leaves the old file or the new one."""
