"""When the leverage brackets of an account are asked for, and what has come of it.

They are private data beside public data: whatever a key meets is told once, and fails nothing that is public.
"""

from __future__ import annotations

import random
import re
from typing import get_args

import ccxt

from . import clock
from .backoff import Uniform
from .rest import Answers, Rest
from .resync import Doubts
from .snapshot import LeverageBrackets, Universe

FIRST_RETRY = 60.0
LONGEST_RETRY = 3600.0

_KEY_IS_REFUSED = ("-2008", "-2014", "-2015")
"""Binance's codes for a key that is invalid, malformed, or not allowed here. ccxt has a class of its own for some."""
_BEFORE_THE_KEY = (407, 511)
"""HTTP statuses of which ccxt makes AuthenticationErrors, too: a proxy or a network wants a password."""
_TOO_MANY = (418, 429)
_CODE = re.compile(r'"code"\s*:\s*(-?\d+)')


class AccountBrackets:
    """Asks for the leverage brackets of one exchange's account when it is time, and remembers what went wrong.

    A key that is refused is not used again until it changes. After any other failure the next try waits for about
    `first_retry` s, then twice as long each time, up to `longest_retry` s; never less than Retry-After. `error` may be
    read from any thread.
    """

    def __init__(
        self,
        first_retry: float = FIRST_RETRY,
        longest_retry: float = LONGEST_RETRY,
        uniform: Uniform = random.uniform,
    ) -> None:
        self._first_retry = first_retry
        self._longest_retry = longest_retry
        self._uniform = uniform
        self._forget(None)

    @property
    def error(self) -> str | None:
        """Why tiers are unknown, or may be old: the text of the last failure; None where there is none, or no key."""
        return next(iter(dict(self._errors).values()), None)

    def ask(
        self, rest: Rest, account: object, universe: Universe, answers: Answers, doubts: Doubts
    ) -> LeverageBrackets | None:
        """The brackets of a universe; None where they are not asked for now, or cannot be had.

        :param account: what the key is, and whatever else decides which account is asked; None: there is no key
        :param answers: of this round, in which the limits of REST are remembered
        :param doubts: gets what is news of errors, and when to ask again
        """
        if account != self._account:
            self._forget(account)
        if account is None or self._is_refused:
            return None
        not_before = max(self._not_before.get(universe, -clock.FOREVER), answers.not_before)
        if clock.now() < not_before:
            doubts.retry_at(not_before)
            return None
        try:
            brackets = rest.brackets(universe)
        except Exception as error:  # a user's own class may raise anything
            self._failed(universe, error, answers, doubts)
            return None
        self._succeeded(universe, brackets, doubts)
        return brackets

    def _forget(self, account: object) -> None:
        self._account = account
        self._is_refused = False
        self._tries: dict[Universe, int] = {}
        self._not_before: dict[Universe, float] = {}
        self._errors: dict[Universe, str] = {}
        self._told: dict[Universe, set[str]] = {universe: set() for universe in get_args(Universe)}

    def _failed(self, universe: Universe, error: Exception, answers: Answers, doubts: Doubts) -> None:
        self._errors[universe] = f"{type(error).__name__}: {error}"
        self._tell(universe, _reason(error), error, doubts)
        if _is_refusal(error):
            self._is_refused = True
            return
        tries = self._tries[universe] = self._tries.get(universe, 0) + 1
        delay = min(self._longest_retry, self._first_retry * 2.0 ** min(tries - 1, 63)) * self._uniform(0.9, 1.1)
        asked_for = getattr(error, "retry_after", None) or 0.0
        not_before = self._not_before[universe] = clock.now() + max(delay, asked_for)
        doubts.retry_at(not_before)
        if getattr(error, "status", None) in _TOO_MANY and isinstance(error, ccxt.BaseError):
            answers.limited(error)

    def _succeeded(self, universe: Universe, brackets: LeverageBrackets, doubts: Doubts) -> None:
        told, self._told[universe] = self._told[universe], set()
        self._tries.pop(universe, None)
        self._not_before.pop(universe, None)
        self._errors.pop(universe, None)
        for error in brackets.malformed.values():
            self._errors.setdefault(universe, f"{type(error).__name__}: {error}")
            if str(error) in told:
                self._told[universe].add(str(error))
            else:
                self._tell(universe, str(error), error, doubts)

    def _tell(self, universe: Universe, reason: str, error: Exception, doubts: Doubts) -> None:
        if not any(reason in told for told in self._told.values()):
            doubts.errors.append(error)
        self._told[universe].add(reason)


def _is_refusal(error: Exception) -> bool:
    code = _CODE.search(str(error))
    if code is not None and code[1] in _KEY_IS_REFUSED:
        return True
    return isinstance(error, ccxt.AuthenticationError) and getattr(error, "status", None) not in _BEFORE_THE_KEY


def _reason(error: Exception) -> str:
    """What is the same for two errors of which the second is no news: their texts have URLs and times in them."""
    code = _CODE.search(str(error))
    what = code[1] if code is not None else re.sub(r"\w+://\S*|\d+", "", str(error))
    return f"{type(error).__name__} {getattr(error, 'status', None)} {what}"
