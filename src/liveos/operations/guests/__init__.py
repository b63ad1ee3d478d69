# SPDX-License-Identifier: Apache-2.0
"""Machines that media are booted in: set up without a trace on the medium, watched, asked."""
