"""The truth is keyed by id: contracts of one symbol, symbols in other hands, and what is new at the venue."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import ccxt
import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo import clock
from ccxt_contractinfo.simulator import BinanceSimulator
from tests.conftest import Inbox, Make, eventually, go_live, held_by_another_thread
from tests.constants import FAST, PATIENCE
from tests.faces import attach
from tests.samples import CUT, NEVER, ONBOARD, PUSHED, entry

BTC, ETH, SOL, IOTA, IDOL = (f"{base}/USDT:USDT" for base in ("BTC", "ETH", "SOL", "IOTA", "IDOL"))
DATE = 1_797_206_400_000
QUIET = {"resync_interval": None, "settle_time": 0.0}

pytestmark = pytest.mark.both_faces


@pytest.fixture
def bot(make: Make, inbox: Inbox) -> Callable[..., Any]:
    """Makes exchanges that are live and tell `inbox`; REST is asked for nothing by itself, and believed at once."""

    def bot(kind: type = cci.binanceusdm, before: Callable[[Any], Any] = lambda made: None, **config: Any) -> Any:
        exchange = make(kind, contractInfo={**QUIET, **config.pop("contractInfo", {})}, **config)
        before(exchange)
        exchange.on_contract_info(inbox)
        go_live(exchange)
        return exchange

    return bot


def told(inbox: Inbox, count: int = 1) -> list[tuple[str, list[str]]]:
    return [(update["id"], update["kinds"]) for update in inbox.wait(count)]


def told_until(sim: BinanceSimulator, inbox: Inbox) -> list[tuple[str, list[str]]]:
    """All that was told before one last change, of the canary's contract."""
    sim.set_status("ETHUSDT", "TRADING_HALT")
    items = inbox.wait_for(lambda: bool(inbox.items) and inbox.items[-1]["id"] == "ETHUSDT")
    return [(update["id"], update["kinds"]) for update in items[:-1]]


def resynced(exchange: Any) -> Any:
    assert exchange.contract_info_stream().resync(PATIENCE)
    return exchange


def all_told(exchange: Any, inbox: Inbox) -> None:
    """Wait until the callbacks have had everything that has happened, and forget that."""
    exchange._contract_info().updates.finish(clock.now() + PATIENCE)
    inbox.items.clear()


def serve(sim: BinanceSimulator, *entries: dict[str, Any]) -> None:
    """Have exchangeInfo of USDⓈ-M say this, and no more."""
    body = {"serverTime": 1_700_000_000_000, "symbols": list(entries)}
    sim.fail_rest(200, body=body, path="/fapi/v1/exchangeInfo")


def push(sim: BinanceSimulator, exchange: Any, id: str, **changes: Any) -> None:
    """Push a contract, of now."""
    fields = {"s": id, "ps": id, "ct": "PERPETUAL", "dt": NEVER, "ot": ONBOARD, "cs": "TRADING", "st": 1}
    sim.push({"e": "contractInfo", "E": exchange.milliseconds(), **fields, **changes})


# Two ids with one symbol

ONE, OTHER = entry("IDOL", pair="IDOLUSDT", baseAsset="IDOL"), entry("IDOLUSDT")


@pytest.fixture
def idols(sim: BinanceSimulator, bot: Make) -> Any:
    """An exchange with two contracts of one unified symbol, as a public exchangeInfo had them."""
    serve(sim, entry("BTCUSDT"), entry("ETHUSDT"), ONE, OTHER)
    return bot()


def statuses(exchange: Any) -> dict[str, Any]:
    return {id: exchange.market(id)["status"] for id in ("IDOL", "IDOLUSDT")}


def test_both_contracts_of_a_symbol_are_followed(sim: BinanceSimulator, idols: Any, inbox: Inbox) -> None:
    """Two contracts of one symbol are followed by their ids, and under the symbol is the one that ccxt has there."""
    assert "IDOLUSDT" == idols.market(IDOL)["id"] == ccxt_shows(sim)
    assert [IDOL, IDOL] == [idols.market(id)["symbol"] for id in ("IDOL", "IDOLUSDT")]
    push(sim, idols, "IDOL", cs="TRADING_HALT", bks=PUSHED)
    push(sim, idols, "IDOLUSDT", dt=DATE, bks=CUT)
    assert [("IDOL", ["halted", "status", "tiers"]), ("IDOLUSDT", ["delisting", "tiers"])] == told(inbox, 2)
    assert {"IDOL": "TRADING_HALT", "IDOLUSDT": "TRADING"} == statuses(idols)
    assert ("IDOLUSDT", DATE) == (idols.market(IDOL)["id"], idols.market(IDOL)["delisting"])
    for symbol, leverage in (("IDOL", 50.0), ("IDOLUSDT", 25.0), (IDOL, 25.0)):
        assert leverage == idols.leverage_tiers(symbol)[0]["maxLeverage"]


def ccxt_shows(sim: BinanceSimulator) -> Any:
    """The id of the contract that plain ccxt has under the symbol."""
    plain = sim.connect(ccxt.binanceusdm())
    plain.load_markets()
    return plain.market(IDOL)["id"]


@pytest.mark.parametrize("gone", ["IDOL", "IDOLUSDT"])
def test_one_of_two_goes_and_comes_back(sim: BinanceSimulator, idols: Any, inbox: Inbox, gone: str) -> None:
    """Where one of the two goes, the symbol shows the other, as a load of ccxt's would; and again both when it is
    back."""
    [stays] = {"IDOL", "IDOLUSDT"} - {gone}
    serve(sim, entry("BTCUSDT"), entry("ETHUSDT"), ONE if stays == "IDOL" else OTHER)
    resynced(idols)
    assert [(gone, ["delisted", "status"])] == told(inbox)
    assert stays == idols.market(IDOL)["id"] == ccxt_shows(sim)
    assert {gone: None, stays: "TRADING"} == statuses(idols)
    serve(sim, entry("BTCUSDT"), entry("ETHUSDT"), ONE, OTHER)
    resynced(idols)
    assert [(gone, ["status"])] == told(inbox, 2)[1:]
    assert "IDOLUSDT" == idols.market(IDOL)["id"] == ccxt_shows(sim)


def test_a_reload_keeps_both(sim: BinanceSimulator, idols: Any, inbox: Inbox) -> None:
    """A load, markets that are set, and markets in other hands keep both contracts, and what is known of them."""
    push(sim, idols, "IDOL", cs="TRADING_HALT", bks=PUSHED)
    inbox.wait()
    other = cci.binanceusdm()
    other.set_markets_from_exchange(idols)
    serve(sim, entry("BTCUSDT"), entry("ETHUSDT"), {**ONE, "status": "TRADING_HALT"}, OTHER)
    for change in (
        lambda: idols.load_markets(True),
        lambda: idols.set_markets(idols.markets),
        lambda: idols.set_markets(list(idols.markets.values())),
    ):
        change()
        assert {"IDOL": "TRADING_HALT", "IDOLUSDT": "TRADING"} == statuses(idols)
        assert 50.0 == idols.leverage_tiers("IDOL")[0]["maxLeverage"]
        assert "IDOLUSDT" == idols.market(IDOL)["id"]
    assert {"IDOL": "TRADING_HALT", "IDOLUSDT": "TRADING"} == statuses(other)
    resynced(idols)
    assert 1 == len(inbox.items)


def test_a_listing_that_nothing_can_be_made_of_is_not_asked_for_again(
    sim: BinanceSimulator, bot: Make, inbox: Inbox
) -> None:
    """Where REST has a pushed contract, but nothing can be made of its entry, asking again at once would change
    nothing: it is reported once, and REST left in peace until the next comparison or the next push of it."""
    exchange, errors = bot(), Inbox()
    stream = exchange.contract_info_stream()
    stream.on_error(errors)
    entries = [each for each in sim.contracts.values() if "contractStatus" not in each]
    serve(sim, *entries, entry("NEWUSDT", status=None))
    asked = count_of(sim)
    push(sim, exchange, "NEWUSDT")
    assert "NEWUSDT.status" in str(errors.wait()[0])
    eventually(lambda: stream.health()["last_resync_age"] < 5 and not exchange._contract_info().is_waiting())
    sim.push({**sim_push(sim, "ETHUSDT"), "E": exchange.milliseconds(), "bks": PUSHED})
    assert [("ETHUSDT", ["tiers"])] == told(inbox)
    assert (asked + 1, 1) == (count_of(sim), len(errors.items))
    serve(sim, *entries, entry("NEWUSDT"))
    push(sim, exchange, "NEWUSDT")
    assert ("NEWUSDT", ["listed"]) == told(inbox, 2)[1]


def sim_push(sim: BinanceSimulator, id: str) -> dict[str, Any]:
    """What a push of a contract as it is would say."""
    contract = sim.contracts[id]
    times = {"dt": contract["deliveryDate"], "ot": contract["onboardDate"]}
    return {"e": "contractInfo", "s": id, "ct": contract["contractType"], "cs": contract["status"], "st": 1, **times}


def count_of(sim: BinanceSimulator) -> int:
    return sum("exchangeInfo" in request for request in sim.requests)


# Names


DELIVERING = {"contractType": "PERPETUAL_DELIVERING", "deliveryDate": DATE, "status": "SETTLING"}


@pytest.mark.sync_face
@pytest.mark.parametrize("way", ["set_markets_from_exchange", "assigned", "set_markets", "reload"])
def test_markets_from_elsewhere_keep_the_names_that_users_know(
    sim: BinanceSimulator, bot: Make, inbox: Inbox, way: str
) -> None:
    """Where ccxt has renamed a perpetual that is being delivered, our exchange keeps the symbol that its user knows,
    and the contract is not told as delisted."""
    others = [entry("BTCUSDT"), entry("ETHUSDT")]
    serve(sim, *others, entry("IOTAUSDT"))
    exchange = attach(bot(ccxt.binanceusdm, before=cci.attach))
    serve(sim, *others, entry("IOTAUSDT", **DELIVERING))
    plain = sim.connect(ccxt.binanceusdm())
    plain.load_markets()
    assert IOTA not in plain.markets
    if way == "set_markets_from_exchange":
        exchange.set_markets_from_exchange(plain)
    elif way == "assigned":
        exchange.markets, exchange.markets_by_id = plain.markets, plain.markets_by_id
    elif way == "set_markets":
        exchange.set_markets(plain.markets)
    else:
        exchange.load_markets(True)
    push(sim, exchange, "BTCUSDT", cs="TRADING_HALT")
    inbox.wait_for(lambda: any(update["id"] == "BTCUSDT" for update in inbox.items))
    resynced(exchange)
    assert {BTC, ETH, IOTA} == set(exchange.markets)
    market = exchange.market(IOTA)
    assert ("SETTLING", DATE, "swap") == (market["status"], market["delisting"], market["type"])
    items = inbox.wait_for(lambda: any("settling" in update["kinds"] for update in inbox.items))
    assert [["delisting", "settling", "status"]] == [each["kinds"] for each in items if each["id"] == "IOTAUSDT"]


@pytest.mark.sync_face
@pytest.mark.parametrize(
    ("kind", "options", "symbol", "id"),
    [
        (cci.binanceusdm, {}, "BTC/USDT", "BTCUSDT"),
        (cci.binance, {"defaultType": "swap", "defaultSubType": "inverse"}, "BTC/USD", "BTCUSD_PERP"),
        (cci.binance, {"defaultType": "swap"}, "BTC/USDT", "BTCUSDT"),
        (cci.binance, {}, "BTCUSDT", "BTCUSDT"),
        (cci.binance, {}, BTC, "BTCUSDT"),
    ],
    ids=str,
)
def test_symbols_are_resolved_as_ccxt_does(
    sim: BinanceSimulator, bot: Make, inbox: Inbox, kind: Any, options: Any, symbol: str, id: str
) -> None:
    """Wherever a symbol is taken, it is the contract that ``exchange.market()`` gives, or that of an id."""
    exchange = bot(kind, options=options)
    chosen = Inbox()
    exchange.on_contract_info(chosen, symbol)
    drawn = exchange.contract_info_updates(symbol)
    sim.set_brackets("ETHUSD_PERP" if "USD_" in id else "ETHUSDT", PUSHED)
    sim.set_brackets(id, PUSHED)
    inbox.wait(2)
    assert [id] == [update["id"] for update in chosen.wait()] == [next(drawn)["id"]]
    assert [id] == [update["id"] for update in exchange.watch_contract_info(symbol, since=0)]
    assert 50.0 == exchange.leverage_tiers(symbol)[0]["maxLeverage"]


def test_a_spot_symbol_is_no_contract(make: Make) -> None:
    """Where ``exchange.market()`` gives a spot market for a symbol, there is no contract of it."""
    exchange = make(cci.binance)
    assert exchange.market("BTC/USDT")["spot"]
    with pytest.raises(ccxt.BadSymbol, match="'BTC/USDT'"):
        exchange.leverage_tiers("BTC/USDT")


# What users leave out


class Few(cci.binanceusdm):
    """A user's class that wants three contracts, or others where he says so."""

    ids: Iterable[str] = ("BTCUSDT", "ETHUSDT", "SOLUSDT")

    def fetch_markets(self, params: Any = {}) -> Any:
        return [market for market in super().fetch_markets(params) if market["id"] in self.ids]


class PlainFew(ccxt.binanceusdm):
    """The same of plain ccxt."""

    ids: Iterable[str] = Few.ids

    def fetch_markets(self, params: Any = {}) -> Any:
        return [market for market in super().fetch_markets(params) if market["id"] in self.ids]


def set_few(exchange: Any) -> None:
    exchange.set_markets([exchange.market(id) for id in Few.ids])


def assign_few(exchange: Any) -> None:
    exchange.markets = {exchange.market(id)["symbol"]: exchange.market(id) for id in Few.ids}


def delete_all_but_few(exchange: Any) -> None:
    for symbol in [symbol for symbol, market in exchange.markets.items() if market["id"] not in Few.ids]:
        del exchange.markets[symbol]


def is_few(market: Any) -> bool:
    return market["id"] in (*Few.ids, "NEWUSDT")


LEFT_OUT: dict[str, dict[str, Any]] = {
    "an overridden fetch_markets": {"kind": Few},
    "an attached class that overrides it": {"kind": PlainFew, "before": cci.attach},
    "set_markets of a part": {"before": set_few},
    "assigned": {"before": assign_few},
    "deleted keys": {"before": delete_all_but_few},
    "a filter": {"contractInfo": {"contracts": is_few}},
}


@pytest.fixture(params=LEFT_OUT)
def few(request: pytest.FixtureRequest, bot: Make) -> Any:
    """A live exchange whose user has left out all but three contracts, in one way or another."""
    return bot(**LEFT_OUT[request.param])


def opened(exchange: Any) -> set[str]:
    """The ids of the contracts that were listed before this test began, or in it, but are not announced."""
    now = exchange.milliseconds()
    assert len(exchange.markets) == len(exchange.markets_by_id)
    return {market["id"] for market in exchange.markets.values() if market["created"] <= now}


@pytest.mark.sync_face
def test_what_is_left_out_stays_out(sim: BinanceSimulator, few: Any, inbox: Inbox) -> None:
    """Contracts that the user left out are not listed, and no push and no comparison tells of them."""
    for _ in range(2):
        resynced(few)
    sim.set_status("XRPUSDT", "TRADING_HALT")
    sim.set_brackets("XRPUSDT", PUSHED)
    sim.set_status("ADAUSDT", "SETTLING", push=False)
    resynced(few)
    told = told_until(sim, inbox)
    assert {"BTCUSDT", "ETHUSDT", "SOLUSDT"} == opened(few)
    assert [] == [each for each in told if sim.contracts[each[0]]["onboardDate"] <= few.milliseconds()]


@pytest.mark.sync_face
def test_what_is_new_at_the_venue_comes_in(sim: BinanceSimulator, few: Any, inbox: Inbox) -> None:
    """A contract that the venue gets afterwards is listed, by a push or a comparison, and stays through reloads."""
    resynced(few)
    all_told(few, inbox)
    sim.list_contract("NEWUSDT", status="TRADING")
    assert [("NEWUSDT", ["listed"])] == told(inbox)
    for _ in range(2):
        few.load_markets(True)
        resynced(few)
        assert "NEW/USDT:USDT" in few.markets
    sim.set_status("NEWUSDT", "TRADING_HALT")
    assert ("NEWUSDT", ["halted", "status"]) == told(inbox, 2)[1]


def test_what_is_loaded_is_in_again_and_no_news(sim: BinanceSimulator, bot: Make, inbox: Inbox) -> None:
    """What was left out is there, true and silent, once the user loads it."""
    exchange = resynced(bot(before=set_few))
    sim.set_status("XRPUSDT", "TRADING_HALT")
    assert [] == told_until(sim, inbox)
    exchange.load_markets(True)
    resynced(exchange)
    assert "TRADING_HALT" == exchange.market("XRPUSDT")["status"]
    sim.set_status("XRPUSDT", "TRADING")
    assert [("XRPUSDT", ["resumed", "status"])] == told(inbox, 2)[1:]


@pytest.mark.sync_face
def test_a_choice_that_varies_is_neither_listing_nor_delisting(sim: BinanceSimulator, bot: Make, inbox: Inbox) -> None:
    """Where a user's fetch_markets chooses others at each load, as by volume, what comes and goes is no news; what is
    really gone is."""
    exchange = resynced(bot(Few))
    all_told(exchange, inbox)  # what was announced, but is not open yet
    exchange.ids = ("BTCUSDT", "ETHUSDT", "XRPUSDT")
    exchange.load_markets(True)
    resynced(exchange)
    assert {"BTCUSDT", "ETHUSDT", "XRPUSDT"} == opened(exchange)
    assert [] == told_until(sim, inbox)
    exchange.ids = ("BTCUSDT", "ETHUSDT")
    sim.remove_contract("XRPUSDT")
    exchange.load_markets(True)
    resynced(exchange)
    assert [("XRPUSDT", ["delisted", "status"])] == told(inbox, 2)[1:]
    assert exchange.market("XRPUSDT")["active"] is False
    assert {"BTCUSDT", "ETHUSDT", "XRPUSDT"} == opened(exchange)


@pytest.mark.sync_face
@pytest.mark.parametrize("choice", ["an overridden fetch_markets", "a filter"])
def test_a_choice_is_replayed(
    sim: BinanceSimulator, bot: Make, make: Make, inbox: Inbox, tmp_path: Path, choice: str
) -> None:
    """A journal of an exchange whose user has left contracts out, and has loaded them again, tells the same when it is
    replayed: none of them is listed or delisted."""
    path = tmp_path / "choice.jsonl"
    how = dict(LEFT_OUT[choice])
    settings = {**how.pop("contractInfo", {}), "journal": path}
    exchange = resynced(bot(**how, contractInfo=settings))
    sim.set_status("XRPUSDT", "TRADING_HALT")
    exchange.load_markets(True)
    resynced(exchange)
    sim.list_contract("NEWUSDT", status="TRADING")
    inbox.wait_for(lambda: any(update["id"] == "NEWUSDT" for update in inbox.items))
    exchange.load_markets(True)
    resynced(exchange)
    live = told_until(sim, inbox)
    exchange.close()
    played = [(update["id"], update["kinds"]) for update in cci.replay(path, make(load=False))]
    assert [*live, ("ETHUSDT", ["halted", "status"])] == played


def test_markets_that_were_loaded_before_attaching(sim: BinanceSimulator, make: Make, inbox: Inbox) -> None:
    """Nobody knows when markets were loaded that an exchange had before it was attached: what was listed before that is
    left out, and what is listed afterwards comes in, pushed or not."""
    plain = make(ccxt.binanceusdm)
    sim.list_contract("OLDUSDT", status="TRADING", push=False, onboard_time=plain.milliseconds() - 1000)
    exchange = attach(plain)
    exchange.options["contractInfo"] = QUIET
    sim.list_contract("NEWUSDT", status="TRADING", push=False, onboard_time=plain.milliseconds() + 1000)
    exchange.on_contract_info(inbox)
    go_live(exchange)
    assert [("NEWUSDT", ["listed"])] == told_until(sim, inbox)
    assert "OLD/USDT:USDT" not in exchange.markets
    sim.list_contract("LASTUSDT", status="TRADING", push=False, onboard_time=plain.milliseconds() - 1000)
    resynced(exchange)
    assert ("LASTUSDT", ["listed"]) == told(inbox, 3)[2]


def test_a_filter_that_fails_keeps_a_listing(sim: BinanceSimulator, bot: Make, inbox: Inbox) -> None:
    """A filter that raises for a contract is reported, and the contract kept: better once too often than not at all."""

    def picky(market: Any) -> bool:
        if market["id"] == "NEWUSDT":
            raise ZeroDivisionError("a bug")
        return is_few(market)

    exchange, errors = bot(contractInfo={"contracts": picky}), Inbox()
    exchange.contract_info_stream().on_error(errors)
    sim.list_contract("NEWUSDT", status="TRADING")
    assert [("NEWUSDT", ["listed"])] == told(inbox)
    assert "a bug" == str(errors.wait()[0])
    exchange.load_markets(True)
    assert {*Few.ids, "NEWUSDT"} == set(exchange.markets_by_id)
    assert ["a bug"] * 2 == list(map(str, errors.wait(2)))


def test_exchanges_that_had_one_dict_share_one(sim: BinanceSimulator, make: Make, inbox: Inbox) -> None:
    """Two exchanges that shared one plain dict of markets share one after both are attached, and whoever holds that
    dict sees the listings, too."""
    first = make(ccxt.binanceusdm)
    second = sim.connect(ccxt.binanceusdm())
    second.set_markets_from_exchange(first)
    held, held_by_id = first.markets, first.markets_by_id
    for exchange in (first, second):
        exchange.options["contractInfo"] = QUIET
    attach(first)
    attach(second, stream=first.contract_info_stream())
    assert (first.markets, first.markets_by_id) == (second.markets, second.markets_by_id)
    assert first.markets is second.markets
    second.on_contract_info(inbox)
    go_live(first)
    sim.list_contract("NEWUSDT", status="TRADING")
    sim.set_status("BTCUSDT", "TRADING_HALT")
    inbox.wait(2)
    for markets, by_id in ((first.markets, first.markets_by_id), (held, held_by_id)):
        assert "TRADING_HALT" == markets[BTC]["status"] == by_id["BTCUSDT"][0]["status"]
        assert "TRADING" == markets["NEW/USDT:USDT"]["status"] == by_id["NEWUSDT"][0]["status"]
    second.close()


class Empty(cci.ContractInfoMixin, ccxt.binanceusdm):
    """A class of a user's own that leaves ccxt's loading as it is."""


@pytest.mark.sync_face
@pytest.mark.parametrize("kind", [cci.binanceusdm, Empty], ids=["ready-made", "a class of one's own"])
def test_ccxts_own_loading_leaves_nothing_out(sim: BinanceSimulator, make: Make, inbox: Inbox, kind: Any) -> None:
    """Where the loading is ccxt's, what appears after it is news, whatever its onboard time says."""
    exchange = make(kind, contractInfo=QUIET)
    sim.list_contract("NEWUSDT", status="TRADING", push=False, onboard_time=exchange.milliseconds() - 60_000)
    exchange.on_contract_info(inbox)
    go_live(exchange)
    assert [("NEWUSDT", ["listed"])] == told_until(sim, inbox)


@pytest.mark.sync_face
def test_a_loading_that_a_user_puts_in_place_later(sim: BinanceSimulator, bot: Make, inbox: Inbox) -> None:
    """Where a user sets another fetch_markets on the exchange itself, what that leaves out is not told as delisted."""
    exchange = bot()
    fetch = exchange.fetch_markets
    exchange.fetch_markets = lambda params={}: [each for each in fetch(params) if each["id"] in Few.ids]
    exchange.load_markets(True)
    resynced(exchange)
    assert {"BTCUSDT", "ETHUSDT", "SOLUSDT"} == opened(exchange)
    assert [] == told_until(sim, inbox)


@pytest.mark.sync_face
@pytest.mark.parametrize("status", ["TRADING", "PENDING_TRADING"])
def test_a_reload_of_a_choice_hides_no_listing(sim: BinanceSimulator, bot: Make, inbox: Inbox, status: str) -> None:
    """A contract that the venue gets between a comparison and a reload of the user's choice is told all the same."""
    exchange = resynced(bot(Few))
    all_told(exchange, inbox)
    time = exchange.milliseconds() - 1000
    sim.list_contract("NEWUSDT", status=status, push=False, onboard_time=time)
    exchange.load_markets(True)
    resynced(exchange)
    assert [("NEWUSDT", ["listed"])] == told_until(sim, inbox)


MARKETS_OF_UNKNOWN_AGE: dict[str, Callable[[Any, Any], Any]] = {
    "set_markets": lambda exchange, plain: exchange.set_markets(exchange.fetch_markets()),
    "set_markets_from_exchange": lambda exchange, plain: exchange.set_markets_from_exchange(plain),
    "assigned": lambda exchange, plain: assign(exchange, plain),
}


def assign(exchange: Any, plain: Any) -> None:
    exchange.markets, exchange.markets_by_id = plain.markets, plain.markets_by_id


@pytest.mark.parametrize("way", MARKETS_OF_UNKNOWN_AGE)
def test_markets_from_elsewhere_hide_nothing(sim: BinanceSimulator, bot: Make, inbox: Inbox, way: str) -> None:
    """Where whole markets of unknown age are put in, a contract that the venue has no more is told as delisted, and
    stays inactive; one that it got meanwhile is told as listed."""
    exchange = bot()
    sim.remove_contract("XRPUSDT")
    sim.list_contract("NEWUSDT", status="TRADING", push=False, onboard_time=exchange.milliseconds() + 1000)
    plain = sim.connect(ccxt.binanceusdm())
    plain.load_markets()
    MARKETS_OF_UNKNOWN_AGE[way](exchange, plain)
    assert "NEW/USDT:USDT" in exchange.markets
    resynced(exchange)
    assert {("NEWUSDT", "listed"), ("XRPUSDT", "delisted")} == {
        (id, kind) for id, kinds in told(inbox, 2) for kind in kinds if kind != "status"
    }
    assert exchange.market("XRPUSDT")["active"] is False


def test_live_mappings_of_others_are_not_written_to(sim: BinanceSimulator, make: Make) -> None:
    """Where a user gives an exchange another one's mapping by id, or keeps an old one beside markets of his own,
    neither writes into the other's, and no lock waits for another."""
    first, second = make(contractInfo=QUIET), make(contractInfo=QUIET)
    go_live(first)
    second.set_markets_from_exchange(first)
    first.markets = {symbol: market for symbol, market in first.markets.items() if market["quote"] == "USDT"}
    del second.markets[SOL]
    sim.set_status("SOLUSDT", "TRADING_HALT")
    eventually(lambda: first.market(SOL)["status"] == "TRADING_HALT")
    assert "SOLUSDT" not in second.markets_by_id
    mappings = [(dict(each.markets), each.markets_by_id) for each in (first, second)]
    for exchange, (markets, by_id) in zip((second, first), mappings, strict=True):
        exchange.markets, exchange.markets_by_id = markets, by_id
    with held_by_another_thread(second._contract_info().table.lock):
        assert first.market(BTC)["active"]
        assert first.leverage_tiers(BTC) is None


def test_a_contract_that_the_filter_refused_waits_for_nothing(sim: BinanceSimulator, bot: Make, inbox: Inbox) -> None:
    """The filter is asked once; a contract that it refused and that is loaded later is as REST says, without what was
    pushed before."""
    is_wanted = {"NEWUSDT": False}
    exchange = bot(contractInfo={"contracts": lambda market: is_wanted.get(market["id"], True)})
    sim.list_contract("NEWUSDT")
    eventually(lambda: "NEWUSDT" in exchange._contract_info().table.choice.left_out)
    sim.set_status("NEWUSDT", "TRADING")
    is_wanted["NEWUSDT"] = True
    exchange.load_markets(True)
    assert "TRADING" == exchange.market("NEWUSDT")["status"]
    sim.set_status("NEWUSDT", "TRADING_HALT")
    assert [("NEWUSDT", ["halted", "status"])] == told(inbox)


def test_brackets_by_symbol_are_of_the_contract_that_is_shown(sim: BinanceSimulator, idols: Any, inbox: Inbox) -> None:
    """What ccxt keeps by symbol is of the contract under the symbol, also where that changes."""
    push(sim, idols, "IDOLUSDT", bks=CUT)
    push(sim, idols, "IDOL", bks=PUSHED)
    inbox.wait(2)
    table = idols._contract_info().table
    assert ["IDOLUSDT"] == [market["id"] for market, _ in table.brackets_newer_than(0.0, 3600.0)]
    idols.options["contractInfo"]["serveTiers"] = True
    assert 25.0 == idols.fetch_leverage_tiers()[IDOL][0]["maxLeverage"] == idols.leverage_tiers(IDOL)[0]["maxLeverage"]
    idols.options["leverageBrackets"] = {IDOL: [["0", "0.01"]]}
    serve(sim, entry("BTCUSDT"), entry("ETHUSDT"), ONE)
    resynced(idols)
    assert "IDOL" == idols.market(IDOL)["id"]
    assert [["0", "0.01"], ["5000", "0.025"]] == idols.options["leverageBrackets"][IDOL]
    assert 50.0 == idols.fetch_leverage_tiers()[IDOL][0]["maxLeverage"]


# Attached is enough


@pytest.mark.parametrize("when", ["before", "after"], ids=lambda when: f"loaded {when} attaching")
def test_attaching_and_starting_is_enough(sim: BinanceSimulator, make: Make, when: str) -> None:
    """Where the stream was started by hand, without a callback, the markets are kept true all the same."""
    exchange = make(ccxt.binanceusdm, load=when == "before")
    exchange.options["contractInfo"] = QUIET
    attach(exchange)
    stream = exchange.contract_info_stream()
    stream.start()
    exchange.load_markets()
    assert stream.wait_until_live(PATIENCE)
    assert stream.is_fresh()
    sim.set_status("BTCUSDT", "TRADING_HALT")
    sim.list_contract("NEWUSDT", status="TRADING")
    eventually(lambda: exchange.market(BTC)["status"] == "TRADING_HALT" and "NEW/USDT:USDT" in exchange.markets)
    stream.stop()
    sim.set_status("ETHUSDT", "TRADING_HALT")
    stream.start()
    eventually(lambda: exchange.market(ETH)["status"] == "TRADING_HALT")


def test_a_push_before_the_first_load_is_not_lost(sim: BinanceSimulator, make: Make) -> None:
    """What is pushed while an attached exchange loads its markets for the first time is in them."""
    exchange = make(load=False, contractInfo={"resync_interval": None})
    stream = exchange.contract_info_stream()
    stream.start()
    assert stream.wait_until_live(PATIENCE)
    sim.hold_rest()
    old = [each for each in sim.contracts.values() if "contractStatus" not in each]
    sim.set_status("BTCUSDT", "TRADING_HALT")
    sim.set_brackets("BTCUSDT", PUSHED)
    sim.wait_until(lambda: True, PATIENCE)
    eventually(lambda: stream.health()["events"] == 2)
    sim.recover()
    serve(sim, *old)
    asked = len(sim.requests)
    exchange.load_markets()
    assert asked < len(sim.requests)
    assert ("TRADING_HALT", 50.0) == (exchange.market(BTC)["status"], exchange.leverage_tiers(BTC)[0]["maxLeverage"])


def test_who_unwatched_comes_back_with_a_start_by_hand(sim: BinanceSimulator, make: Make) -> None:
    """On a stream that a user made himself, an exchange that was unwatched is kept true again once he starts it."""
    exchange = make(ccxt.binanceusdm)
    with cci.ContractInfoStream(sim.ws_url, **FAST) as stream:
        attach(exchange, stream=stream)
        assert stream.wait_until_live(PATIENCE)
        exchange.un_watch_contract_info()
        sim.set_status("BTCUSDT", "TRADING_HALT")
        stream.start()
        eventually(lambda: exchange.market(BTC)["status"] == "TRADING_HALT")


def test_a_closed_owner_is_not_resumed_by_others(sim: BinanceSimulator, make: Make, inbox: Inbox) -> None:
    """An exchange that was closed stays so when another one that shares its stream starts that."""
    owner = make()
    owner.on_contract_info(inbox)
    stream = go_live(owner)
    owner.close()
    other, later = attach(make(ccxt.binanceusdm), stream=stream), Inbox()
    other.on_contract_info(later)
    assert stream.wait_until_live(PATIENCE)
    sim.set_status("BTCUSDT", "TRADING_HALT")
    later.wait()
    assert [] == inbox.items
    assert owner.market(BTC)["active"]


def test_who_left_is_not_resumed_by_others(sim: BinanceSimulator, make: Make, inbox: Inbox) -> None:
    """An exchange that was closed is told nothing when another one starts the stream that they shared."""
    first, second = make(), make(ccxt.binancecoinm)
    attach(second, stream=first.contract_info_stream())
    second.on_contract_info(inbox)
    go_live(first)
    second.close()
    first.close()
    later = Inbox()
    first.on_contract_info(later)
    assert first.contract_info_stream().wait_until_live(PATIENCE)
    sim.set_status("BTCUSD_PERP", "TRADING_HALT")
    sim.set_status("BTCUSDT", "TRADING_HALT")
    later.wait()
    assert [] == inbox.items


# Gone, and there again


@pytest.mark.parametrize("later", [0, 1], ids=["the same onboard time", "another onboard time"])
@pytest.mark.parametrize("way", ["comparison", "reload", "push"])
def test_a_contract_comes_back(sim: BinanceSimulator, bot: Make, inbox: Inbox, way: str, later: int) -> None:
    """A contract that exchangeInfo lacked is the same one where its onboard time is the same, and keeps its tiers; else
    it is a listing whose tiers are unknown."""
    others = [entry("BTCUSDT"), entry("ETHUSDT")]
    serve(sim, *others, entry("IOTAUSDT"))
    exchange = bot()
    push(sim, exchange, "IOTAUSDT", bks=PUSHED)
    inbox.wait()
    serve(sim, *others)
    resynced(exchange)
    assert ("IOTAUSDT", ["delisted", "status"]) == told(inbox, 2)[1]
    serve(sim, *others, entry("IOTAUSDT", onboardDate=ONBOARD + later))
    if way == "push":
        push(sim, exchange, "IOTAUSDT", ot=ONBOARD + later)
    elif way == "reload":
        exchange.load_markets(True)
    else:
        resynced(exchange)
    assert [("IOTAUSDT", ["listed"] if later else ["status"])] == told(inbox, 3)[2:]
    assert exchange.market(IOTA)["active"]
    tiers = exchange.leverage_tiers(IOTA)
    assert (None if later else 50.0) == (tiers and tiers[0]["maxLeverage"])
