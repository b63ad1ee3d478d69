# SPDX-License-Identifier: Apache-2.0
"""A plan with an encrypted home, when the key is known: people are asked for it last."""

from dataclasses import replace

from liveos.host.luks import Key
from liveos.operations.plan import AnyStep, Plan
from liveos.operations.steps.home import CreateHome
from liveos.operations.steps.memory import MakeHomePartition


def with_key(plan: Plan, key: Key) -> Plan:
    """The plan whose encrypted home is opened by ``key``."""
    notes = plan.notes
    if key.secret().endswith((b"\n", b"\r")):
        notes += (f"{key} ends with a line end, which nobody can type at boot",)
    return replace(plan, steps=tuple(_keyed(step, key) for step in plan.steps), notes=notes)


def _keyed(step: AnyStep, key: Key) -> AnyStep:
    if isinstance(step, CreateHome | MakeHomePartition) and step.encryption is not None:
        return replace(step, encryption=replace(step.encryption, key=key))
    return step
