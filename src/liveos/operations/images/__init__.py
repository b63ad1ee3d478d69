# SPDX-License-Identifier: Apache-2.0
"""Several images on one stick: added, removed, renamed, updated, each beside the others."""
