"""What came of comparing markets with REST. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True)
class ResyncResult:
    """The result of an answer, of a comparison, or of several. Times are s by `clock.now`.

    `errors` are to be reported, such as entries that cannot be understood: the answer was applied without them.
    `failure` is the error by which a part was lost, or None. `again` is when to ask REST again because its answer
    contradicts pushes, or None; `retry` is when to ask again for private data, or None; and REST must not be asked
    before `not_before`. `is_complete` is False if a contract was pushed that REST did not know yet.
    """

    errors: tuple[BaseException, ...] = ()
    failure: BaseException | None = None
    again: float | None = None
    retry: float | None = None
    is_complete: bool = True
    not_before: float = -inf

    @property
    def is_clear(self) -> bool:
        """Whether nothing is to be reported, was lost, or contradicts a push."""
        return not self.errors and self.failure is None and self.again is None

    @property
    def due(self) -> float | None:
        """When REST should be asked the next time, beside the usual comparisons; None: not because of this."""
        return min((time for time in (self.again, self.retry) if time is not None), default=None)


NOTHING = ResyncResult()
"""All was understood, and nothing is to be asked again."""


def failed(error: BaseException) -> ResyncResult:
    """The result if a part was lost by this error, which is to be reported."""
    return ResyncResult(errors=(error,), failure=error)


def merged(results: Iterable[ResyncResult]) -> ResyncResult:
    """The result of all of these together. Of several failures, the one that asks for the longest wait counts."""
    results = [result for result in results if result is not NOTHING]
    if len(results) < 2:
        return results[0] if results else NOTHING
    return ResyncResult(
        errors=tuple(error for result in results for error in result.errors),
        failure=max((result.failure for result in results), key=patience),
        again=latest(*(result.again for result in results)),
        retry=min((result.retry for result in results if result.retry is not None), default=None),
        is_complete=all(result.is_complete for result in results),
        not_before=max(result.not_before for result in results),
    )


def latest(*times: float | None) -> float | None:
    """The latest of these times; None if there is none."""
    return max((time for time in times if time is not None), default=None)


def patience(failure: BaseException | None) -> float:
    """How long (s) REST has asked to wait before the next request; less than 0 if there is no failure."""
    return -1.0 if failure is None else getattr(failure, "retry_after", None) or 0.0
