# SPDX-License-Identifier: Apache-2.0
"""Memory on a new stick: overlay images, swap, homes in partitions, roots to be written through."""
