# SPDX-License-Identifier: Apache-2.0
"""Changing a persistent overlay: plans, their steps, and how the steps are done."""
