"""pytest fixtures for users of ccxt_contractinfo: a local Binance for each test, and an exchange that is live on it.

pytest finds them as soon as ccxt-contractinfo is installed; ``-p no:ccxt_contractinfo`` turns them off. The package is
not imported before a test asks for a fixture: the import takes half a second, because of ccxt.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ccxt_contractinfo.simulator import BinanceSimulator

LIMIT = 60.0
"""s; how long `contract_info_exchange` waits to be live. It takes well under a second; machines are slow at times."""

MARKERS = (
    "binance_simulator(**settings): what the fixture binance_simulator makes its BinanceSimulator with, "
    "e.g. seed=7, canary_interval=0.1",
    "contract_info_exchange(name, **config): which exchange the fixture contract_info_exchange is, 'binanceusdm', "
    "'binancecoinm' or 'binance', and the config that its constructor is given; both may be left out",
)

EXCHANGES = ("binanceusdm", "binancecoinm", "binance")


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
    import ccxt_contractinfo as cci  # see the top

    args, config = _marked(request, "contract_info_exchange")
    kind = _exchange_class(*args) if args else contract_info_exchange_class
    exchange = cci.attach(binance_simulator.connect(kind(_config(binance_simulator, config))))
    try:
        _go_live(exchange)
        yield exchange
    finally:
        exchange.close()


def _marked(request: pytest.FixtureRequest, name: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of the nearest marker of that name."""
    marker = request.node.get_closest_marker(name)
    return (marker.args, marker.kwargs) if marker else ((), {})


def _exchange_class(name: str) -> Any:
    import ccxt_contractinfo as cci  # see the top

    if name not in EXCHANGES:
        known = f"{', '.join(map(repr, EXCHANGES))}; for a class of your own, override contract_info_exchange_class"
        pytest.fail(f"contract_info_exchange: the marker names no exchange {name!r}; there are {known}", pytrace=False)
    return getattr(cci, name)


def _config(simulator: BinanceSimulator, config: dict[str, Any]) -> dict[str, Any]:
    options = config.get("options", {})
    settings = {"backoff_base": 0.01, "backoff_max": 0.05, **options.get("contractInfo", {})}
    key = {"apiKey": simulator.api_key, "secret": simulator.secret}
    return {**key, **config, "options": {**options, "contractInfo": settings}}


def _go_live(exchange: Any) -> None:
    stream = exchange.contract_info_stream()
    errors: list[BaseException] = []
    stream.on_error(errors.append)
    exchange.on_contract_info(lambda update: None).cancel()  # starts the stream
    if not stream.wait_until_live(LIMIT):
        causes = dict.fromkeys(str(each) for each in [*errors, stream.error] if each)
        pytest.fail(
            f"contract_info_exchange: the stream is {stream.state!r}, not 'live', after {LIMIT:g} s at most.\n"
            f"Errors: {'; '.join(causes) or 'none'}\nstream.health(): {stream.health()}",
            pytrace=False,
        )
