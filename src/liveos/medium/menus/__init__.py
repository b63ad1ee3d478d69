# SPDX-License-Identifier: Apache-2.0
"""Boot menus of live media: SYSLINUX, GRUB 2 and GRUB legacy, all read into the same entries."""
