"""pytest fixtures for users of ccxt_contractinfo: a local Binance for each test, and exchanges that are live on it.

pytest finds them as soon as ccxt-contractinfo is installed; ``-p no:ccxt_contractinfo`` turns them off. The package is
not imported before a test asks for a fixture: the import takes half a second, because of ccxt.
"""

from __future__ import annotations

import gc
import operator
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ccxt_contractinfo.simulator import BinanceSimulator

LIMIT = 60.0
"""s; how long a fixture waits for its exchange to be live. It takes well under a second; machines are slow at times."""

MARKERS = (
    "binance_simulator(**settings): what the fixture binance_simulator makes its BinanceSimulator with, "
    "e.g. seed=7, canary_interval=0.1",
    "contract_info_exchange(name, **config): which exchange the fixture contract_info_exchange is, 'binanceusdm', "
    "'binancecoinm' or 'binance', and the config that its constructor is given; both may be left out",
    "async_contract_info_exchange(name, **config): the same of the fixture async_contract_info_exchange; "
    "'pro.binanceusdm', 'pro.binancecoinm' and 'pro.binance' are those of ccxt.pro",
)

NAMES = ("binanceusdm", "binancecoinm", "binance")
EXCHANGES = {
    "contract_info_exchange": {name: name for name in NAMES},
    "async_contract_info_exchange": {
        **{name: f"async_support.{name}" for name in NAMES},
        **{f"pro.{name}": f"pro.{name}" for name in NAMES},
    },
}
"""For each fixture, the names that its marker takes, and the places of these classes in ccxt_contractinfo."""


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers for ``--strict-markers`` and ``--markers``."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


@pytest.fixture
def binance_simulator(request: pytest.FixtureRequest) -> Iterator[BinanceSimulator]:
    """A local Binance futures for this test, REST and WebSocket on a free port of 127.0.0.1; stopped at its end.

    It is a started ``ccxt_contractinfo.simulator.BinanceSimulator``. ``@pytest.mark.binance_simulator(seed=7)`` gives
    its keyword arguments; if there are several such markers, the nearest to the test counts. Its canary is pushed every
    0.05 s (Binance: 3 s), so that streams are live at once.

    Threads: it serves from a daemon thread; all its methods may be called from any thread. When one returns, the pushes
    are handed to the sockets; wait until an exchange has them.
    """
    from ccxt_contractinfo.simulator import BinanceSimulator  # see the top

    args, settings = _marked(request, "binance_simulator")
    with BinanceSimulator(*args, **{"canary_interval": 0.05, **settings}) as simulator:
        yield simulator


@pytest.fixture
def contract_info_exchange_class() -> Any:
    """The class of `contract_info_exchange` if no marker names another: ``ccxt_contractinfo.binanceusdm``.

    Override it to test with your own class, with the mixin or without: in conftest.py for all modules, or in a module.
    """
    import ccxt_contractinfo as cci  # see the top

    return cci.binanceusdm


@pytest.fixture
def contract_info_exchange(
    request: pytest.FixtureRequest, binance_simulator: BinanceSimulator, contract_info_exchange_class: Any
) -> Iterator[Any]:
    """An exchange on the test's `binance_simulator`, its markets loaded and its stream live; closed at the end.

    It is a ``ccxt_contractinfo.binanceusdm``. ``@pytest.mark.contract_info_exchange('binancecoinm', **config)`` chooses
    another, and gives the config of its constructor, in ccxt's names; if there are several such markers, the nearest to
    the test counts. For your own class, override the fixture `contract_info_exchange_class`: it may be any of ccxt's
    sync Binance classes; without the mixin, the exchange is attached. The exchange has the simulator's API key
    (``apiKey=None`` for none) and reconnects quickly, unless `config` says otherwise.

    Threads: each callback runs on its own thread, so wait for what it does. ``watch_contract_info(since=0,
    params={'timeout': 10_000})`` waits for an update; when it returns, the markets have the change. This package's
    methods may be called from any thread, ccxt's own methods from one thread at a time. No thread is left at the end,
    except for a callback that does not return within 5 s.
    """
    exchange = _made(request, "contract_info_exchange", binance_simulator, contract_info_exchange_class)
    try:
        _go_live(exchange, "contract_info_exchange")
        yield exchange
    finally:
        exchange.close()


@pytest.fixture
def async_contract_info_exchange_class() -> Any:
    """The class of `async_contract_info_exchange` if no marker names another:
    ``ccxt_contractinfo.async_support.binanceusdm``.

    Override it to test with your own class, as `contract_info_exchange_class`.
    """
    import ccxt_contractinfo as cci  # see the top

    return cci.async_support.binanceusdm


@pytest.fixture
def async_contract_info_exchange(
    request: pytest.FixtureRequest, binance_simulator: BinanceSimulator, async_contract_info_exchange_class: Any
) -> Iterator[Any]:
    """An asyncio exchange on the test's `binance_simulator`, its markets loaded and its stream live; closed at the end.

    It is what `contract_info_exchange` is, for asyncio: a ``ccxt_contractinfo.async_support.binanceusdm``.
    ``@pytest.mark.async_contract_info_exchange('pro.binanceusdm', **config)`` chooses one of ccxt.pro. For your own
    class, override the fixture `async_contract_info_exchange_class`: it may be any Binance class of
    ``ccxt.async_support`` or ``ccxt.pro``.

    The fixture is a plain function and needs no loop and no other plugin: await the exchange's coroutines in
    ``asyncio.run()``, or in an async test, if you have a plugin for these. Requests and WebSockets of ccxt's own belong
    to the loop that they were opened in. What a test leaves open is closed there if the loop is still open, and is
    dropped otherwise. No session, thread or socket is left at the end.
    """
    exchange = _made(request, "async_contract_info_exchange", binance_simulator, async_contract_info_exchange_class)
    try:
        _go_live(exchange, "async_contract_info_exchange")
        yield exchange
    finally:
        _close(exchange)


def _marked(request: pytest.FixtureRequest, name: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of the nearest marker of that name."""
    marker = request.node.get_closest_marker(name)
    return (marker.args, marker.kwargs) if marker else ((), {})


def _made(request: pytest.FixtureRequest, fixture: str, simulator: BinanceSimulator, kind: Any) -> Any:
    """The exchange of a fixture, as its nearest marker says.

    :param kind: its class if no marker names another
    """
    import ccxt_contractinfo as cci  # see the top

    args, config = _marked(request, fixture)
    chosen = _exchange_class(fixture, *args) if args else kind
    exchange = cci.attach(simulator.connect(chosen(_config(simulator, config))))
    is_async = isinstance(exchange, cci.AsyncContractInfoMixin)
    if is_async != fixture.startswith("async_"):
        other = "contract_info_exchange" if fixture.startswith("async_") else "async_contract_info_exchange"
        is_one = "is one of asyncio" if is_async else "is no asyncio exchange"
        pytest.fail(f"{fixture}: {type(exchange).__name__} {is_one}; use the fixture {other}", pytrace=False)
    return exchange


def _exchange_class(fixture: str, name: str) -> Any:
    import ccxt_contractinfo as cci  # see the top

    places = EXCHANGES[fixture]
    if name not in places:
        known = f"{', '.join(map(repr, places))}; for a class of your own, override {fixture}_class"
        pytest.fail(f"{fixture}: the marker names no exchange {name!r}; there are {known}", pytrace=False)
    return operator.attrgetter(places[name])(cci)


def _config(simulator: BinanceSimulator, config: dict[str, Any]) -> dict[str, Any]:
    options = config.get("options", {})
    settings = {"backoff_base": 0.01, "backoff_max": 0.05, **options.get("contractInfo", {})}
    key = {"apiKey": simulator.api_key, "secret": simulator.secret}
    return {**key, **config, "options": {**options, "contractInfo": settings}}


def _go_live(exchange: Any, fixture: str) -> None:
    stream = exchange.contract_info_stream()
    errors: list[BaseException] = []
    stream.on_error(errors.append)
    exchange.on_contract_info(lambda update: None).cancel()  # starts the stream, which has the markets loaded
    if not stream.wait_until_live(LIMIT):
        causes = dict.fromkeys(str(each) for each in [*errors, stream.error] if each)
        pytest.fail(
            f"{fixture}: the stream is {stream.state!r}, not 'live', after {LIMIT:g} s at most.\n"
            f"Errors: {'; '.join(causes) or 'none'}\nstream.health(): {stream.health()}",
            pytrace=False,
        )


def _close(exchange: Any) -> None:
    """Close an asyncio exchange, and what a test has left open of it."""
    import asyncio  # see the top
    import concurrent.futures

    is_open, loop = exchange.session is not None or bool(exchange.clients), exchange.asyncio_loop
    if is_open and not loop.is_closed():
        if loop.is_running():  # on another thread
            asyncio.run_coroutine_threadsafe(exchange.close(), loop).result(LIMIT)
        else:
            loop.run_until_complete(exchange.close())
        return
    exchange.timeout_on_exit = 0  # ms; how long ccxt waits for connections to end, of which there are none here
    with warnings.catch_warnings(), concurrent.futures.ThreadPoolExecutor(1) as executor:
        warnings.simplefilter("ignore", ResourceWarning)
        executor.submit(asyncio.run, exchange.close()).result()
        if is_open:
            gc.collect()  # this closes the sockets, which nothing else can, because their loop is closed
