# SPDX-License-Identifier: Apache-2.0
"""How the steps for a home are done."""
