"""pytest fixtures for what is built on ccxt_contractinfo: a Binance of the test's own, and an exchange live on it.

pytest finds them by itself where ccxt-contractinfo is installed; ``-p no:ccxt_contractinfo`` turns them off. Nothing of
the package is imported before a test asks for a fixture: the import takes half a second, for ccxt.
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
    """Let ``--strict-markers`` know the markers, and ``--markers`` tell of them."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


@pytest.fixture
def binance_simulator(request: pytest.FixtureRequest) -> Iterator[BinanceSimulator]:
    """A local Binance futures of this test's own, REST and WebSocket on a free port of 127.0.0.1; stopped at its end.

    It is a started ``ccxt_contractinfo.simulator.BinanceSimulator``. ``@pytest.mark.binance_simulator(seed=7)`` gives
    its keyword arguments; of several such markers the nearest to the test counts. Its canary is pushed every 0.05 s (on
    Binance it is 3 s), so that streams are live at once.

    Threads: it serves from a daemon thread; all its methods may be called from any thread. When one returns, the pushes
    are handed to the sockets; that an exchange has them has to be waited for.
    """
    from ccxt_contractinfo.simulator import BinanceSimulator  # see the top

    args, settings = _marked(request, "binance_simulator")
    with BinanceSimulator(*args, **{"canary_interval": 0.05, **settings}) as simulator:
        yield simulator


@pytest.fixture
def contract_info_exchange_class() -> Any:
    """The class of `contract_info_exchange` where no marker names another: ``ccxt_contractinfo.binanceusdm``.

    Override it to test with a class of your own, with the mixin or without; in conftest.py for all, or in a module.
    """
    import ccxt_contractinfo as cci  # see the top

    return cci.binanceusdm


@pytest.fixture
def contract_info_exchange(
    request: pytest.FixtureRequest, binance_simulator: BinanceSimulator, contract_info_exchange_class: Any
) -> Iterator[Any]:
    """An exchange on the test's `binance_simulator`, its markets loaded and its stream live; closed at the end.

    It is a ``ccxt_contractinfo.binanceusdm``. ``@pytest.mark.contract_info_exchange('binancecoinm', **config)`` names
    another, and gives what its constructor is given, in ccxt's names; of several such markers the nearest to the test
    counts. For a class of your own, override the fixture `contract_info_exchange_class`: any sync Binance class of
    ccxt's will do, and is attached where it lacks the mixin. The exchange has the simulator's API key (``apiKey=None``
    for none) and is quick to reconnect, but for what `config` says.

    Threads: callbacks run on threads of their own, so wait for what they do; ``watch_contract_info(since=0,
    params={'timeout': 10_000})`` waits for an update, and the markets show it when it returns. All that this package
    adds may be called from any thread, ccxt's own methods from one at a time. No thread is left at the end, but for a
    callback that does not return within 5 s.
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
    """What the nearest marker of that name has been given."""
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
