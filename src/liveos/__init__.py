# SPDX-License-Identifier: Apache-2.0
"""The whole life of a LiveOS stick: inspect, install, prove, service, rebuild.

Data goes one way: bytes -> records -> facts -> plan -> steps -> report.
"""

__version__ = "0.1.0"
