# SPDX-License-Identifier: Apache-2.0
"""Changing the boot menu of an image that lies on a stick."""
