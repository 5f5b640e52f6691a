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


def test_the_document_is_true(users: pytest.Pytester) -> None:
    """Each test that docs/testing.md shows passes as it is written."""
    blocks = re.findall(r"```python\n# (\w+)\.py\n(.*?)```", DOCUMENT, re.DOTALL)
    assert DOCUMENT.count("```python") == len(blocks)
    users.makepyfile(**dict(blocks))
    users.runpytest_inprocess(*OPTIONS).assert_outcomes(passed=6)


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


def test_an_exchange_that_does_not_go_live_says_why(users: pytest.Pytester) -> None:
    """The test errs with the state, the errors and the health of the stream; nothing of it stays behind."""
    source = """
        import pytest

        @pytest.fixture
        def binance_simulator(binance_simulator):
            binance_simulator.refuse(451)
            return binance_simulator

        def test_it(contract_info_exchange):
            pass
        """
    result = run(users, source, errors=1)
    expected = [
        "contract_info_exchange: the stream is 'failed', not 'live'*",
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
        """
    result = run(users, source, errors=1)
    result.stdout.fnmatch_lines(["*names no exchange 'kraken'; there are 'binanceusdm', 'binancecoinm', 'binance';*"])


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
    result.stdout.fnmatch_lines([f"@pytest.mark.{name}(*" for name in ("binance_simulator", "contract_info_exchange")])
    shown = users.runpytest_inprocess("-p", PLUGIN, "--fixtures").stdout
    names = ["binance_simulator", "contract_info_exchange_class", "contract_info_exchange"]
    shown.fnmatch_lines([f"{name} -- *pytest_ccxt_contractinfo.py:*" for name in names])


def test_pytest_finds_it_where_it_is_installed() -> None:
    """The package has an entry point for pytest, under a name that `-p no:...` can turn off."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert f"\nccxt_contractinfo = {PLUGIN}" == setup["options.entry_points"]["pytest11"]
    assert PLUGIN in setup["options"]["py_modules"].split()
    for each in importlib.metadata.entry_points(group="pytest11", name="ccxt_contractinfo"):
        assert PLUGIN == each.value
