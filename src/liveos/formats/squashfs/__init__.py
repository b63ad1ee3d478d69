# SPDX-License-Identifier: Apache-2.0
"""squashfs 4.0 (kernel: fs/squashfs/squashfs_fs.h)."""
