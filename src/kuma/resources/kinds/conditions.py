"""What the control plane writes into the status of a resource: conditions, each true or false.

Source: the shape is that of Kubernetes' conditions, without their times, as in Kuma.
"""

from enum import StrEnum

from kuma.resources.spec import SpecModel


class ConditionStatus(StrEnum):
    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(SpecModel):
    type: str
    """What the condition is about, such as `Generated` or `BackendRefsResolved`."""
    status: ConditionStatus
    """Whether it holds."""
    reason: str
    """One word for the cause."""
    message: str = ""
    """The cause, for people."""


class ConditionsStatus(SpecModel):
    conditions: tuple[Condition, ...] | None = None
    """What the control plane has found out about the resource."""

    def find(self, type_: str) -> Condition | None:
        return next((each for each in self.conditions or () if each.type == type_), None)

    def with_condition(self, condition: Condition) -> "ConditionsStatus":
        """In place of the one of its type."""
        kept = [each for each in self.conditions or () if each.type != condition.type]
        return ConditionsStatus(conditions=(*kept, condition))
