# SPDX-License-Identifier: Apache-2.0
"""Measurements beside their yardsticks, in one run: ``make bench``."""
