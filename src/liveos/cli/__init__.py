# SPDX-License-Identifier: Apache-2.0
"""The front door: words in, requests out; plans, progress and findings as words, tables, JSON."""
