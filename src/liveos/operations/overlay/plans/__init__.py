# SPDX-License-Identifier: Apache-2.0
"""What would be done to an overlay, decided before anything is done: one module for each verb."""
