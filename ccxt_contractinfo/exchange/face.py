"""What the faces share: they put `MarketKeeper` on ccxt's exchanges, and do nothing that waits."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterable
from typing import Any

import ccxt

from .. import clock
from ..contracts.kinds import Kind
from ..contracts.tier_changes import Direction
from ..contracts.tiers import LeverageTier
from ..contracts.updates import ContractInfo, UpdateRecord, own
from ..delivery.receiver import Filter
from ..forking import renew_after_fork
from ..positions.impact import Position
from ..stream.stream import ContractInfoStream
from .filters import all_pass
from .guarded import GuardedFace
from .keeper import NOTED, MarketKeeper
from .loading import current_loading
from .supported import check_supported

Callback = Callable[[ContractInfo], object]
Symbols = str | Iterable[str] | None
Kinds = Kind | Direction | Iterable[Kind | Direction] | None
Positions = Callable[[], Iterable[Position]]

OrdersCallback = Callable[[ContractInfo, list[Any]], object]

SWEPT: tuple[Kind, ...] = ("delisting", "halted", "settling")
"""The kinds of change after which open orders that would open a position had better be cancelled."""

OPEN_ORDERS: tuple[dict[str, Any], ...] = ({}, {"trigger": True})
"""The parameters of ccxt's ``fetch_open_orders()`` that give all of them: the second, conditional orders."""

HAS = {"watchContractInfo": True, "unWatchContractInfo": True}


class _Creation:
    """The lock under which an exchange gets its keeper."""

    def __init__(self) -> None:
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        self.lock = threading.RLock()  # a signal handler may take it on the same thread


_creation = _Creation()


class ContractInfoFace(GuardedFace):
    """What `ContractInfoMixin` and `AsyncContractInfoMixin` have in common."""

    markets_by_id: Any
    _contract_info_cursors: Callable[[], Any]
    """Makes what keeps the cursors of waiting callers."""

    def describe(self) -> Any:
        """ccxt's description, with ``has['watchContractInfo']``."""
        base: Any = super().describe()  # type: ignore[misc]
        return {**base, "has": {**base.get("has", {}), **HAS}}

    def contract_info_stream(self) -> ContractInfoStream:
        """The `ContractInfoStream` behind this exchange, made if needed, but not started by this call.

        :raises ccxt.BadRequest: for a setting in ``options['contractInfo']`` that does not exist or has an invalid
            value
        :raises ccxt.InvalidProxySettings: for proxies that contradict each other or cannot be read
        :raises ccxt.NotSupported: if the exchange has no `!contractInfo`, or a library for its proxy is missing
        """
        return self._contract_info().own_stream()

    def leverage_tiers(self, symbol: str) -> list[LeverageTier] | None:
        """A contract's leverage tiers as last known, in ccxt's structure, ascending; None if never seen. It is a copy.

        :param symbol: a symbol, as ``market()`` resolves it, or contract id
        :raises ccxt.BadSymbol: for a contract that the exchange does not have
        """
        tiers: list[LeverageTier] | None = self._loaded_keeper().contract(symbol).get("leverageTiers")
        return own(tiers)

    # What ccxt calls when markets come from elsewhere than the stream

    def parse_market(self, market: Any) -> Any:
        """As in ccxt; when `load_markets` calls this, an entry that no contract can be made of does not spoil the
        others, and does not mean that its contract is gone."""
        keeper, parse = self._own_keeper(), super().parse_market  # type: ignore[misc]
        return parse(market) if keeper is None else keeper.parse_market(market, parse)

    def parse_json(self, http_response: Any) -> Any:
        """As in ccxt; when `load_markets` calls this, NaN or half of a character somewhere does not spoil the whole
        answer, as it does with ccxt's quicker parser."""
        parsed, keeper = super().parse_json(http_response), self._own_keeper()  # type: ignore[misc]
        if parsed is None and keeper is not None and current_loading(keeper) is not None:
            with contextlib.suppress(TypeError, ValueError, RecursionError):
                parsed = json.loads(http_response)
        return parsed

    def set_markets(self, markets: Any, currencies: Any = None) -> Any:
        """As in ccxt, but readers see the new markets only when they are complete with tiers, status and dates."""
        keeper = self._contract_info()
        loading = current_loading(keeper)
        if loading is not None and loading.is_put_off:
            loading.put_off = markets, currencies
            return self.markets
        asked, sick = (None, []) if loading is None else loading.end()
        return keeper.set_markets(markets, currencies, asked, sick)

    def set_markets_from_exchange(self, sourceExchange: Any) -> Any:  # noqa: N803 (ccxt's name)
        """As in ccxt: both exchanges have the same markets from now on, until one of them loads them again."""
        keeper = self._contract_info()
        result = super().set_markets_from_exchange(sourceExchange)  # type: ignore[misc]
        keeper.share(sourceExchange)
        return result

    # What happens to an exchange as an object

    def __getstate__(self) -> Any:
        """The state of a copy: everything but what follows the stream."""
        parents = getattr(super(), "__getstate__", None)  # Python has its own from 3.11 on
        state = vars(self) if parents is None else parents()
        if not isinstance(state, dict):
            return state
        return {name: value for name, value in state.items() if name != "_contract_info_keeper"}

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in NOTED and (keeper := self._own_keeper()) is not None:
            keeper.attribute_set(name)

    def __del__(self) -> None:
        # A collected exchange has no subscribers, or the stream would keep it alive; and a finalizer must take no lock.
        vars(self).pop("_contract_info_keeper", None)
        super().__del__()  # type: ignore[misc]

    def _contract_info(self) -> MarketKeeper:
        keeper = self._own_keeper()
        if keeper is None:
            with _creation.lock:
                keeper = self._own_keeper()
                if keeper is None:
                    check_supported(self)
                    set_markets = super(ContractInfoFace, type(self)).set_markets  # type: ignore[misc]
                    made = MarketKeeper(self, set_markets, self._contract_info_cursors())
                    keeper = self._own_keeper() or made
                    vars(self)["_contract_info_keeper"] = keeper
        return keeper

    def _own_keeper(self) -> MarketKeeper | None:
        """The keeper; None if there is none yet, or if a user's way of copying brought another exchange's keeper."""
        keeper: MarketKeeper | None = vars(self).get("_contract_info_keeper")
        return keeper if keeper is not None and keeper.exchange is self else None

    def _loaded_keeper(self) -> MarketKeeper:
        """The keeper, if the markets are loaded; see each face for what happens if they are not."""
        raise NotImplementedError

    def _begin_asking(self) -> None:
        """REST is asked for markets: what is newer than the answer is not undone."""
        loading = current_loading(self._own_keeper())
        if loading is not None:
            loading.begin(clock.now())

    # ccxt gives its own classes such names when an instance is made; `attach` comes later than that.
    parseJson = parse_json  # noqa: N815
    parseMarket = parse_market  # noqa: N815
    setMarkets = set_markets  # noqa: N815
    setMarketsFromExchange = set_markets_from_exchange  # noqa: N815
    contractInfoStream = contract_info_stream  # noqa: N815
    leverageTiers = leverage_tiers  # noqa: N815


def ends_orders(update: ContractInfo) -> bool:
    """Whether the update is a reason to cancel orders that would open a position; a withdrawn delisting is none."""
    return not {"halted", "settling"}.isdisjoint(update["kinds"]) or update["delisting"] is not None


def reach_back(since: int | None, filter: Filter | None) -> Filter | None:
    """Which of the buffered updates a first call gets."""
    return None if since is None else filter or all_pass


def young(since: int | None, filter: Filter | None) -> Filter:
    """A filter that leaves out what is older than `since` (ms), too."""

    def is_young(record: UpdateRecord) -> bool:
        return (since is None or record.timestamp >= since) and (filter is None or filter(record))

    return is_young


def check_number(method: str, name: str, value: Any) -> None:
    """Raise ccxt.BadRequest for what is neither None nor a number >= 0."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
        raise ccxt.BadRequest(f"{method}(): {name} should be a number >= 0, not {value!r}")


def check_key(keeper: MarketKeeper) -> None:
    """Raise ccxt.ArgumentsRequired if positions cannot be fetched."""
    if not keeper.has_key:
        raise ccxt.ArgumentsRequired("contract_info_impact(): give it positions, or the exchange an apiKey")


def raise_or_report(keeper: MarketKeeper, errors: list[ccxt.BaseError], count: int) -> None:
    """If one of `count` sub-types cannot be fetched, report its error, and the next call asks for it again; if none
    can, raise the error."""
    if errors and len(errors) == count:
        try:
            raise errors[0]
        finally:
            errors.clear()  # its traceback holds this frame: a cycle, which would keep REST's connection open
    for each in errors:
        keeper.report(each)
