# SPDX-License-Identifier: Apache-2.0
"""Recorded facts from other implementations, with the scripts that record them again."""
