# SPDX-License-Identifier: Apache-2.0
"""How each step of an overlay plan is done, so that a power cut leaves the old or the new."""
