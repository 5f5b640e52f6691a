"""When to ask for an account's leverage brackets, and what came of it.

They are private data beside public data: an error with the key is reported once, and stops nothing that is public.
"""

from __future__ import annotations

import logging
import re
import threading
import weakref
from collections.abc import Callable, Iterable
from typing import get_args

import ccxt

from .. import clock
from ..backoff import Uniform, uniform
from ..contracts.events import SubType
from ..resync import NOTHING, ResyncResult, merged
from ..shown import MESSAGE, shown
from ..venues.rest import Answers, Rest, Told
from ..venues.snapshot import LeverageBrackets, Snapshot

logger = logging.getLogger("ccxt_contractinfo")

Late = Callable[[Snapshot, LeverageBrackets | None, float, ResyncResult], None]
"""Called with an answer that came too late: the snapshot that was compared without it, the brackets or None, when they
were asked for (s by `clock.now`), and what came of it. On the thread that asked."""

_Answer = tuple[LeverageBrackets | None, ResyncResult]
"""The brackets of a sub-type, or None, and what came of asking for them."""

PATIENCE = 2.0
"""s; how long the public part of one round waits in all for the private part."""
FIRST_RETRY = 60.0
LONGEST_RETRY = 3600.0

_TOO_MANY = (418, 429)


class AccountBrackets:
    """Asks for the leverage brackets of one exchange's account when it is time, and remembers what went wrong.

    A refused key is not used again until it changes. After any other failure, the next try waits for about
    `first_retry` s, then twice as long each time, up to `longest_retry` s; never less than Retry-After.

    It asks on its own thread, and a round waits `patience` s for it: REST may not answer at all. `error` may be read
    from any thread; `ask` is for one thread at a time.
    """

    def __init__(
        self,
        first_retry: float = FIRST_RETRY,
        longest_retry: float = LONGEST_RETRY,
        patience: float = PATIENCE,
        uniform: Uniform = uniform,
    ) -> None:
        self._patience = patience
        self._asking: weakref.ref[_Asking] | None = None
        """What asks on its own thread; once that has ended, nothing of it is kept."""
        self._first_retry = first_retry
        self._longest_retry = longest_retry
        self._uniform = uniform
        self._forget(None)

    @property
    def error(self) -> str | None:
        """Why tiers are unknown, or may be old: the text of the last failure; None if there is none, or no key."""
        return next(iter(dict(self._errors).values()), None)

    def ask(
        self, rest: Rest, account: object, snapshots: Iterable[Snapshot], answers: Answers, late: Late
    ) -> tuple[Told, ResyncResult]:
        """The brackets of the sub-types of these snapshots, and when (s by `clock.now`) they were asked for; without
        those that are not due, cannot be had, or are late. And what came of it: errors that were not reported yet, and
        when to ask again.

        :param account: the key, and all else that decides which account is asked; None: there is no key
        :param answers: those of this round, which remember REST's limits
        """
        asking = None if self._asking is None else self._asking()
        if asking is not None and not asking.is_over:
            return {}, NOTHING
        if account != self._account:
            self._forget(account)
        due, results = [], []
        for snapshot in snapshots if self._is_useful else ():
            not_before = self._due(snapshot.sub_type, answers)
            if clock.now() < not_before:
                results.append(ResyncResult(retry=not_before))
            else:
                due.append(snapshot)
        if not due:
            return {}, merged(results)

        def brackets(sub_type: SubType) -> _Answer:
            return self._brackets(rest, sub_type, answers)

        asking = _Asking(due, brackets, late)
        self._asking = weakref.ref(asking)
        asking.start()
        given, result = asking.wait(answers.patience_left(self._patience))
        return given, merged([*results, result])

    def after_fork(self) -> None:
        """Begin again in the child of a fork: the thread is the parent's."""
        self._asking = None

    @property
    def _is_useful(self) -> bool:
        """Whether there is a key that is not refused."""
        return self._account is not None and not self._is_refused

    def _due(self, sub_type: SubType, answers: Answers) -> float:
        """When (s by `clock.now`) the brackets of a sub-type may be asked for."""
        return max(self._not_before.get(sub_type, -clock.FOREVER), answers.not_before)

    def _brackets(self, rest: Rest, sub_type: SubType, answers: Answers) -> _Answer:
        if not self._is_useful:
            return None, NOTHING
        not_before = self._due(sub_type, answers)
        if clock.now() < not_before:  # the other sub-type has met a limit
            return None, ResyncResult(retry=not_before)
        try:
            brackets = rest.brackets(sub_type)
        except Exception as error:  # a user's own class may raise anything
            return None, self._failed(sub_type, error, rest, answers)
        return brackets, self._succeeded(sub_type, brackets)

    def _forget(self, account: object) -> None:
        self._account = account
        self._is_refused = False
        self._tries: dict[SubType, int] = {}
        self._not_before: dict[SubType, float] = {}
        self._errors: dict[SubType, str] = {}
        self._told: dict[SubType, set[str]] = {sub_type: set() for sub_type in get_args(SubType)}

    def _failed(self, sub_type: SubType, error: Exception, rest: Rest, answers: Answers) -> ResyncResult:
        self._errors[sub_type] = f"{type(error).__name__}: {shown(error, MESSAGE)}"
        errors = self._news(sub_type, _reason(error, rest.error_code(error)), error)
        if rest.refuses_key(error):
            self._is_refused = True
            return ResyncResult(errors=errors)
        tries = self._tries[sub_type] = self._tries.get(sub_type, 0) + 1
        delay = min(self._longest_retry, self._first_retry * 2.0 ** min(tries - 1, 63)) * self._uniform(0.9, 1.1)
        asked_for = getattr(error, "retry_after", None) or 0.0
        not_before = self._not_before[sub_type] = clock.now() + max(delay, asked_for)
        if getattr(error, "status", None) in _TOO_MANY and isinstance(error, ccxt.BaseError):
            answers.limited(error)
        return ResyncResult(errors=errors, retry=not_before)

    def _succeeded(self, sub_type: SubType, brackets: LeverageBrackets) -> ResyncResult:
        told, self._told[sub_type] = self._told[sub_type], set()
        self._tries.pop(sub_type, None)
        self._not_before.pop(sub_type, None)
        self._errors.pop(sub_type, None)
        errors: tuple[Exception, ...] = ()
        for error in brackets.malformed.values():
            self._errors.setdefault(sub_type, f"{type(error).__name__}: {error}")
            if str(error) in told:
                self._told[sub_type].add(str(error))
            else:
                errors += self._news(sub_type, str(error), error)
        return ResyncResult(errors=errors)

    def _news(self, sub_type: SubType, reason: str, error: Exception) -> tuple[Exception, ...]:
        """The error, if it was not reported before for the same reason."""
        is_known = any(reason in told for told in self._told.values())
        self._told[sub_type].add(reason)
        return () if is_known else (error,)


class _Asking:
    """One thread that asks, and a wait for it that is limited in time."""

    def __init__(self, due: list[Snapshot], brackets: Callable[[SubType], _Answer], late: Late) -> None:
        self.is_over = False
        self._due = due
        self._brackets = brackets
        self._late = late
        self._lock = threading.Lock()
        self._is_late = False
        self._given: Told = {}
        self._results: list[ResyncResult] = []
        self._thread = threading.Thread(target=self._work, name="ccxt-contractinfo-account", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wait(self, timeout: float) -> tuple[Told, ResyncResult]:
        """What came within `timeout` s; the rest is given to `late`."""
        self._thread.join(timeout)
        with self._lock:
            self._is_late = True
            return self._given, merged(self._results)

    def _work(self) -> None:
        try:
            for snapshot in self._due:
                self._ask(snapshot)
        except Exception:
            logger.exception("contractInfo: late leverage brackets could not be applied")
        finally:
            self.is_over = True

    def _ask(self, snapshot: Snapshot) -> None:
        asked = clock.now()
        brackets, result = self._brackets(snapshot.sub_type)
        with self._lock:
            is_late = self._is_late
            if not is_late:
                self._results.append(result)
                if brackets is not None:
                    self._given[snapshot.sub_type] = brackets, asked
        if is_late:
            self._late(snapshot, brackets, asked, result)


def _reason(error: Exception, code: str | None) -> str:
    """What is the same for an error and its repetition: their texts differ by URLs and times."""
    what = code if code is not None else re.sub(r"\w+://\S*|\d+", "", str(error))
    return f"{type(error).__name__} {getattr(error, 'status', None)} {what}"
