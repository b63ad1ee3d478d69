# SPDX-License-Identifier: Apache-2.0
"""What each verb of the home will do: pure functions from facts to plans."""
