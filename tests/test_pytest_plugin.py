"""The pytest plugin gives users' tests a Binance and an exchange on it, and costs the others nothing."""

from __future__ import annotations

import configparser
import importlib.metadata
import re

import pytest

from .constants import ROOT

pytest_plugins = ("pytester",)

DOCUMENT = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
PLUGIN = "pytest_ccxt_contractinfo"
OPTIONS = ("-p", PLUGIN, "-p", "no:cacheprovider", "--strict-markers", "-W", "error")


@pytest.fixture
def users(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A user's suite, of which the plugin is the only one, be it installed or not."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.syspath_prepend(str(ROOT))
    return pytester


def run(users: pytest.Pytester, source: str, **outcomes: int) -> pytest.RunResult:
    """Run a user's tests, which must have these outcomes."""
    users.makepyfile(source)
    result = users.runpytest_inprocess(*OPTIONS)
    result.assert_outcomes(**outcomes)
    return result


@pytest.mark.slow
def test_the_document_is_true(users: pytest.Pytester) -> None:
    """Each test that docs/testing.md shows passes as it is written."""
    blocks = re.findall(r"```python\n# (\w+)\.py\n(.*?)```", DOCUMENT, re.DOTALL)
    assert DOCUMENT.count("```python") == len(blocks)
    users.makepyfile(**dict(blocks))
    users.runpytest_inprocess(*OPTIONS).assert_outcomes(passed=8)


def test_the_simulator_is_the_tests_own(users: pytest.Pytester) -> None:
    """Each test starts with a fresh simulator, made as its nearest marker says."""
    source = """
        import pytest

        pytestmark = pytest.mark.binance_simulator(api_key="of the module")
        seen = []

        def test_one(binance_simulator):
            seen.append(binance_simulator)
            assert binance_simulator.api_key == "of the module"
            binance_simulator.set_status("BTCUSDT", "SETTLING")

        @pytest.mark.binance_simulator(secret="of the test")
        def test_other(binance_simulator):
            assert binance_simulator.secret == "of the test"
            assert binance_simulator.api_key == "simulator-key"
            assert binance_simulator.contracts["BTCUSDT"]["status"] == "TRADING"
            assert seen[0].connections == 0
            assert seen[0].port
        """
    run(users, source, passed=2)


def test_the_marker_chooses_the_exchange_and_its_config(users: pytest.Pytester) -> None:
    """The exchange is the one that is named, live, with the simulator's key; what the marker says of options stays
    beside what the fixture sets, and wins."""
    source = """
        import ccxt_contractinfo, pytest

        @pytest.mark.contract_info_exchange(
            "binance", options={"x": 1, "contractInfo": {"backoff_max": 9, "serveTiers": True}}
        )
        def test_it(binance_simulator, contract_info_exchange):
            assert type(contract_info_exchange) is ccxt_contractinfo.binance
            assert contract_info_exchange.contract_info_stream().is_fresh()
            assert binance_simulator.connections == 1
            assert [] == contract_info_exchange.fetch_positions()
            assert contract_info_exchange.options["x"] == 1
            settings = {"backoff_base": 0.01, "backoff_max": 9, "serveTiers": True}
            assert contract_info_exchange.options["contractInfo"] == settings
        """
    run(users, source, passed=1)


def test_a_class_without_the_mixin_is_attached(users: pytest.Pytester) -> None:
    """The class may come from a parametrization, too, and be ccxt's own."""
    source = """
        import ccxt, ccxt_contractinfo, pytest

        @pytest.mark.parametrize("contract_info_exchange_class", [ccxt.binanceusdm])
        def test_it(contract_info_exchange):
            assert isinstance(contract_info_exchange, ccxt.binanceusdm)
            assert isinstance(contract_info_exchange, ccxt_contractinfo.ContractInfoMixin)
        """
    run(users, source, passed=1)


def test_an_asyncio_exchange_is_ready_without_a_loop(users: pytest.Pytester) -> None:
    """The asyncio exchange is the one that its marker names, live, with loaded markets and the simulator's key, before
    any loop runs; by default it is of `async_support`."""
    source = """
        import ccxt_contractinfo, pytest

        def test_default(binance_simulator, async_contract_info_exchange):
            exchange = async_contract_info_exchange
            assert type(exchange) is ccxt_contractinfo.async_support.binanceusdm
            assert exchange.contract_info_stream().is_fresh()
            assert exchange.market("BTC/USDT:USDT")["active"]
            assert exchange.leverage_tiers("BTC/USDT:USDT")
            assert binance_simulator.connections == 1

        @pytest.mark.contract_info_exchange("binance")
        @pytest.mark.async_contract_info_exchange("pro.binancecoinm", timeout=1234, apiKey=None)
        def test_marked(async_contract_info_exchange):
            exchange = async_contract_info_exchange
            assert type(exchange) is ccxt_contractinfo.pro.binancecoinm
            assert (exchange.timeout, exchange.apiKey) == (1234, None)
            assert exchange.options["contractInfo"] == {"backoff_base": 0.01, "backoff_max": 0.05}
        """
    run(users, source, passed=2)


def test_an_asyncio_class_without_the_mixin_is_attached(users: pytest.Pytester) -> None:
    """The class of the asyncio exchange may come from a parametrization, too, and be ccxt's own."""
    source = """
        import ccxt.pro, ccxt_contractinfo, pytest

        @pytest.mark.parametrize("async_contract_info_exchange_class", [ccxt.pro.binance])
        def test_it(async_contract_info_exchange):
            assert isinstance(async_contract_info_exchange, ccxt.pro.binance)
            assert isinstance(async_contract_info_exchange, ccxt_contractinfo.AsyncContractInfoMixin)
        """
    run(users, source, passed=1)


@pytest.mark.slow
@pytest.mark.parametrize("loop", ["closed", "standing", "running"])
def test_what_an_asyncio_test_leaves_open_is_closed(users: pytest.Pytester, loop: str) -> None:
    """Whether its loop is closed, stands still or runs on another thread, and whether it closes its exchange or not: a
    test leaves no session, connection, thread or socket."""
    source = f'''
        import asyncio, pytest, threading

        @pytest.fixture
        def run(binance_simulator):
            loop, exchanges = asyncio.new_event_loop(), []
            thread = threading.Thread(target=loop.run_forever)

            def run(exchange, body):
                exchanges.append(exchange)
                if "{loop}" == "closed":
                    asyncio.run(body(exchange))
                elif "{loop}" == "standing":
                    loop.run_until_complete(body(exchange))
                else:
                    thread.start()
                    asyncio.run_coroutine_threadsafe(body(exchange), loop).result(60)

            yield run  # what follows comes after the end of the exchange
            assert [(None, {{}})] == [(exchange.session, exchange.clients) for exchange in exchanges]
            binance_simulator.wait_until(lambda: binance_simulator.connections == 0)
            if thread.is_alive():
                loop.call_soon_threadsafe(loop.stop)
                thread.join()
            loop.close()

        async def use(exchange):
            assert [] == await exchange.fetch_positions()
            assert (await exchange.watch_mark_price("BTC/USDT:USDT"))["markPrice"]

        async def use_and_close(exchange):
            async with exchange:
                await use(exchange)

        @pytest.mark.parametrize("body", [use, use_and_close])
        @pytest.mark.async_contract_info_exchange("pro.binanceusdm")
        def test_it(run, async_contract_info_exchange, body):
            run(async_contract_info_exchange, body)
        '''
    run(users, source, passed=2)


@pytest.mark.parametrize(
    ("fixture", "kind", "expected"),
    [
        (
            "contract_info_exchange",
            "ccxt.pro.binance",
            "is one of asyncio*; use the fixture async_contract_info_exchange",
        ),
        (
            "async_contract_info_exchange",
            "ccxt.binance",
            "is no asyncio exchange; use the fixture contract_info_exchange",
        ),
    ],
)
def test_a_class_for_the_other_fixture_is_told(users: pytest.Pytester, fixture: str, kind: str, expected: str) -> None:
    """An asyncio class for the synchronous exchange, or the other way round, makes an error that names the fixture."""
    source = f'''
        import ccxt.pro, pytest

        @pytest.mark.parametrize("{fixture}_class", [{kind}])
        def test_it({fixture}):
            pass
        '''
    run(users, source, errors=1).stdout.fnmatch_lines([f"{fixture}: binance {expected}"])


@pytest.mark.parametrize("fixture", ["contract_info_exchange", "async_contract_info_exchange"])
def test_an_exchange_that_does_not_go_live_says_why(users: pytest.Pytester, fixture: str) -> None:
    """The test errs with the state, the errors and the health of the stream; nothing of it stays behind."""
    source = f"""
        import pytest

        @pytest.fixture
        def binance_simulator(binance_simulator):
            binance_simulator.refuse(451)
            return binance_simulator

        def test_it({fixture}):
            pass
        """
    result = run(users, source, errors=1)
    expected = [
        f"{fixture}: the stream is 'failed', not 'live'*",
        "Errors: *HTTP 451*",
        "stream.health(): {*",
    ]
    result.stdout.fnmatch_lines(expected)
    result.stdout.no_fnmatch_line("*pytest_ccxt_contractinfo.py*")


def test_a_name_that_is_none_is_told(users: pytest.Pytester) -> None:
    """A marker that names no exchange of the package makes an error that says which there are."""
    source = """
        import pytest

        @pytest.mark.contract_info_exchange("kraken")
        def test_it(contract_info_exchange):
            pass

        @pytest.mark.async_contract_info_exchange("pro.kraken")
        def test_asyncio(async_contract_info_exchange):
            pass
        """
    result = run(users, source, errors=2)
    expected = [
        "*names no exchange 'kraken'; there are 'binanceusdm', 'binancecoinm', 'binance';*",
        "*names no exchange 'pro.kraken'; there are 'binanceusdm', *, 'pro.binanceusdm', *override async_*_class",
    ]
    result.stdout.fnmatch_lines(expected)


def test_a_suite_that_does_not_use_it_pays_nothing(users: pytest.Pytester) -> None:
    """Without a test that asks for a fixture, neither the package nor ccxt nor the WebSocket client is imported."""
    users.makepyfile(
        """
        import sys

        def test_it(request):
            assert request.config.pluginmanager.hasplugin("pytest_ccxt_contractinfo")
            assert {"ccxt", "ccxt_contractinfo", "websocket"}.isdisjoint(sys.modules)
        """
    )
    users.runpytest_subprocess(*OPTIONS).assert_outcomes(passed=1)


def test_the_markers_are_told(users: pytest.Pytester) -> None:
    """`pytest --markers` and `--fixtures` say what there is."""
    result = users.runpytest_inprocess("-p", PLUGIN, "--markers")
    markers = ["binance_simulator", "contract_info_exchange", "async_contract_info_exchange"]
    result.stdout.fnmatch_lines([f"@pytest.mark.{name}(*" for name in markers])
    shown = users.runpytest_inprocess("-p", PLUGIN, "--fixtures").stdout
    exchanges = ["contract_info_exchange_class", "contract_info_exchange"]
    names = [*(f"async_{name}" for name in exchanges), "binance_simulator", *exchanges]
    shown.fnmatch_lines([f"{name} -- *pytest_ccxt_contractinfo.py:*" for name in names])


def test_pytest_finds_it_where_it_is_installed() -> None:
    """The package has an entry point for pytest, under a name that `-p no:...` can turn off."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert f"\nccxt_contractinfo = {PLUGIN}" == setup["options.entry_points"]["pytest11"]
    assert PLUGIN in setup["options"]["py_modules"].split()
    for each in importlib.metadata.entry_points(group="pytest11", name="ccxt_contractinfo"):
        assert PLUGIN == each.value
