"""OpenFeature's provider over the flags in memory: no call leaves the process."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagResolutionDetails, Reason
from openfeature.provider import AbstractProvider, Metadata

from flotilla.flags.memory import ORGANIZATION, Flags

V = TypeVar("V")


class MemoryProvider(AbstractProvider):
    """Answers from `Flags`. Flags are on or off: any other type is a mismatch."""

    def __init__(self, flags: Flags) -> None:
        super().__init__()
        self._flags = flags

    def get_metadata(self) -> Metadata:
        """Its name."""
        return Metadata("flotilla")

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """Whether it is on for who asks."""
        context = evaluation_context or EvaluationContext()
        try:
            org = UUID(str(context.attributes[ORGANIZATION]))
        except (KeyError, ValueError):
            return _failed(default_value, ErrorCode.INVALID_CONTEXT, "`organization` is an organization's id")
        flag = self._flags.find(flag_key, org)
        if flag is None:
            return FlagResolutionDetails(default_value, reason=Reason.DEFAULT)
        on = flag.is_on(context.targeting_key or str(org))
        reason = Reason.SPLIT if flag.enabled and 0 < flag.percentage < 100 else Reason.TARGETING_MATCH
        return FlagResolutionDetails(on, reason=reason, variant="on" if on else "off")

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """A mismatch."""
        return _mismatch(default_value)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """A mismatch."""
        return _mismatch(default_value)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """A mismatch."""
        return _mismatch(default_value)

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[Any] | Mapping[str, Any],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[Any] | Mapping[str, Any]]:
        """A mismatch."""
        return _mismatch(default_value)


def _mismatch(default: V) -> FlagResolutionDetails[V]:
    return _failed(default, ErrorCode.TYPE_MISMATCH, "a feature is on or off")


def _failed(default: V, code: ErrorCode, why: str) -> FlagResolutionDetails[V]:
    return FlagResolutionDetails(default, error_code=code, error_message=why, reason=Reason.ERROR)
