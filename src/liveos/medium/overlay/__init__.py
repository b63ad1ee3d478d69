# SPDX-License-Identifier: Apache-2.0
"""The persistent overlay of an image: where it is, what state it is in, what is in it."""
