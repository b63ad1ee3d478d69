# SPDX-License-Identifier: Apache-2.0
"""Block devices of this machine: what they are, what they are used by, and taking one over."""
