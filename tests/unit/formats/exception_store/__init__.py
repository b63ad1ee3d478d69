# SPDX-License-Identifier: Apache-2.0
"""The exception store against kernels: their recordings, and a model that equals them."""
