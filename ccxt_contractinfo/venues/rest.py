"""A venue's REST, asked as the exchange itself asks."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

import ccxt

from .. import clock
from ..backoff import retry_after
from ..contracts.events import SubType
from ..resync import ResyncResult
from ..shown import MESSAGE, shown
from .snapshot import LeverageBrackets, Snapshot
from .stand_in import StandIn, completed, route_of

_KEY = ("apiKey", "secret")
_BEFORE_THE_KEY = (407, 511)
"""HTTP statuses of which ccxt makes AuthenticationErrors, too: a proxy or a network wants a password."""

Question = Callable[[Any], Any]
"""Asks REST by the client that it is given, and returns what came."""


class Rest(ABC):
    """Asks a venue's REST on behalf of an exchange.

    Requests are made by stand-ins of the exchange (see `stand_in`): a sync ccxt exchange, its session above all,
    belongs to its user's thread. All methods block, and may be called from any thread.
    """

    large: tuple[str, ...] = ()
    """Texts that only large answers have, which are not parsed by ccxt."""

    def __init__(self, exchange: Any) -> None:
        self._exchange = exchange

    @abstractmethod
    def snapshot(self, sub_type: SubType) -> Snapshot:
        """Ask about all contracts; without the exchange's key.

        :raises ccxt.BaseError: as ccxt does, with `status` (of HTTP, or None), `retry_after` (s) where the answer had
            one, and `reason`, the text of what lies behind it; ccxt.BadResponse where the answer has no contracts
        """

    @abstractmethod
    def brackets(self, sub_type: SubType) -> LeverageBrackets:
        """Ask for leverage brackets, with the exchange's key; the same object as before, if the answer is.

        :raises ccxt.BaseError: as `snapshot` does; ccxt.AuthenticationError where the key is refused
        """

    @abstractmethod
    def questions(self) -> Iterable[Question]:
        """The public ones."""

    @abstractmethod
    def error_code(self, error: BaseException) -> str | None:
        """The venue's code of an error that it has answered with; None where there is none."""

    @abstractmethod
    def is_of_key(self, code: str) -> bool:
        """Whether an error's code means that the key is refused."""

    def refuses_key(self, error: BaseException) -> bool:
        """Whether an error means that the key is refused, so that it is of no use to try it again."""
        code = self.error_code(error)
        if code is not None and self.is_of_key(code):
            return True
        return isinstance(error, ccxt.AuthenticationError) and getattr(error, "status", None) not in _BEFORE_THE_KEY

    @property
    def key(self) -> tuple[str, str] | None:
        """The exchange's API key and secret, if it has both."""
        key, secret = (getattr(self._exchange, name, None) for name in _KEY)
        return (key, secret) if key and secret else None

    @property
    def route(self) -> str:
        """What public answers depend on: equal for exchanges that would be told the same."""
        return route_of(self._exchange, self.questions())

    def markets(self) -> list[dict[str, Any]]:
        """What the exchange's own ``fetch_markets()`` returns. Raises as `snapshot` does."""
        markets: list[dict[str, Any]] = self._asked(lambda client: client.fetch_markets(), ())
        return markets

    def ask(self, question: Question) -> str:
        """The text of the answer to a question. Raises as `snapshot` does."""
        return str(self._asked(lambda client: _text(completed(question(client))), self.large))

    def _asked(self, question: Question, large: tuple[str, ...]) -> Any:
        with StandIn(self._exchange, large) as stand_in:
            try:
                return completed(question(stand_in.client))
            except Exception as error:  # ccxt's own, but for proxies that requests cannot read
                failure: Any = error
                failure.status = stand_in.status or getattr(error, "status", None)
                failure.retry_after = retry_after(stand_in.headers.get("Retry-After"))
                failure.reason = shown(reason_of(error), MESSAGE)
                # It may have the URL of a signed request, and whatever the answer had.
                failure.args = tuple(shown(each, MESSAGE) if isinstance(each, str) else each for each in error.args)
                # These hold the response, and so a socket, for as long as somebody keeps the error.
                failure.__cause__ = failure.__context__ = None
                failure = failure.with_traceback(None)
        raise failure


Told = dict[SubType, tuple[LeverageBrackets, float]]
"""By sub-type: leverage brackets, and when (s by `clock.now`) they were asked for."""


class Answers:
    """What REST says in one round: each question is asked once for all exchanges that would be told the same."""

    are_brackets_apart = False
    """See `MarketTable.compare`."""

    settle_time: float | None = None
    """s; an answer that was asked for less than this after a push does not undo it. None: the setting of the stream."""

    knows_until = clock.FOREVER
    """s by `clock.now`; what happened later, these answers do not say, though they are asked for later."""

    def __init__(self) -> None:
        self.not_before = -clock.FOREVER
        """When (s by `clock.now`) REST may be asked again: its limits count for all exchanges of one address."""
        self._given: dict[tuple[str, SubType], Snapshot | ccxt.BaseError] = {}
        self.times: list[tuple[int, float]] = []
        """Of each answer, when it was made (ms, by the venue's clock), and by when it had come (s by `clock.now`)."""
        self._limit: ccxt.BaseError | None = None
        self._patience_ends: float | None = None

    def patience_left(self, patience: float) -> float:
        """How long (s) this round may still wait for what is private; `patience` for the first one that asks."""
        if self._patience_ends is None:
            self._patience_ends = clock.now() + patience
        return max(0.0, self._patience_ends - clock.now())

    def limited(self, error: ccxt.BaseError) -> None:
        """REST has refused something because of its limits; nothing is asked before the end of its Retry-After."""
        self._limit = error
        self.not_before = max(self.not_before, clock.now() + (getattr(error, "retry_after", None) or 0.0))

    def snapshot(self, rest: Rest, sub_type: SubType) -> Snapshot:
        """See `Rest.snapshot`."""
        question = (rest.route, sub_type)
        if question not in self._given:
            self._given[question] = self._ask(rest, sub_type)
        answer = self._given[question]
        if isinstance(answer, ccxt.BaseError):
            raise answer
        return answer

    def brackets(
        self, snapshots: Iterable[Snapshot], ask: Callable[[], tuple[Told, ResyncResult]]
    ) -> tuple[Told, ResyncResult]:
        """The leverage brackets to compare with these snapshots, and what came of it.

        :param ask: asks for those of the account
        """
        return ask()

    def _ask(self, rest: Rest, sub_type: SubType) -> Snapshot | ccxt.BaseError:
        if self._limit is not None and clock.now() < self.not_before:
            return self._limit
        try:
            snapshot = rest.snapshot(sub_type)
        except ccxt.BaseError as error:
            return error
        if snapshot.has_time:
            self.times.append((snapshot.time, clock.now()))
        return snapshot


def reason_of(error: BaseException) -> str:
    """What requests said, without the URL that ccxt has told; empty where it said nothing."""
    text = "" if error.__cause__ is None else str(error.__cause__)
    return text.partition("(Caused by ")[2].removesuffix(")") or text


def _text(answer: Any) -> str:
    """The text of an answer; one that a user's own class has parsed is put back into text."""
    if isinstance(answer, dict) and isinstance(answer.get("text"), str):
        return str(answer["text"])
    if isinstance(answer, dict | list):
        try:
            return json.dumps(answer)  # which writes whatever ccxt reads
        except (TypeError, ValueError, RecursionError) as error:
            raise ccxt.BadResponse(f"an answer of REST was made something that is no JSON: {shown(error)}") from error
    return str(answer)
