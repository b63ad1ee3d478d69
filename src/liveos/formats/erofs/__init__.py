# SPDX-License-Identifier: Apache-2.0
"""EROFS (kernel: fs/erofs/erofs_fs.h)."""
