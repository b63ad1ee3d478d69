# SPDX-License-Identifier: Apache-2.0
"""Requests and facts in, plans out; and the one place that carries plans out."""
