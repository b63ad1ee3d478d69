# SPDX-License-Identifier: Apache-2.0
"""Upper directories made of snapshots, and roots made of upper directories."""
