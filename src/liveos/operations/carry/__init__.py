# SPDX-License-Identifier: Apache-2.0
"""What an installed image brings along to a new stick: its overlay, its home, its files' sums."""
