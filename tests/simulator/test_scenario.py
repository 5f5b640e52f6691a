"""Scenario files are checked as a whole, say clearly what is wrong, and are played as they stand."""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ccxt_contractinfo as cci
from ccxt_contractinfo.cli import exchange as cli_exchange
from ccxt_contractinfo.cli import options
from ccxt_contractinfo.simulator import BinanceSimulator, scenario
from ccxt_contractinfo.simulator.scenario import LIFE, Played, ScenarioError, load
from tests.conftest import PATIENCE, Inbox

LISTING = """
[[step]]
action = "list_contract"
id = "NOVAUSDT"
onboard_time = "+2h"
"""
HALT = """
[[step]]
action = "set_status"
id = "BTCUSDT"
status = "TRADING_HALT"
"""


@pytest.fixture
def sim() -> Iterator[BinanceSimulator]:
    """A started simulator whose canaries come quickly, so that streams are live at once."""
    with BinanceSimulator(canary_interval=0.05) as simulator:
        yield simulator


@pytest.fixture
def write(tmp_path: Path) -> Any:
    """Writes a scenario file and returns its path."""

    def write(text: str) -> Path:
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def playing(scenario: scenario.Scenario, simulator: BinanceSimulator) -> list[Played]:
    """Plays it to its end, once; returns what was played."""
    played: list[Played] = []
    scenario.play(simulator, threading.Event(), played.append, once=True)
    return played


def hastened(life: scenario.Scenario) -> scenario.Scenario:
    """The same without its waits."""
    steps = tuple(scenario.Step(step.number, 0, step.action, step.arguments) for step in life.steps)
    return scenario.Scenario(life.name, life.settings, steps, life.repeat)


# What is wrong


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[[step", "this is no TOML: "),
        ("", "there should be at least one [[step]]"),
        ("step = 3", "there should be at least one [[step]]"),
        ("step = []", "there should be at least one [[step]]"),
        ("steps = 3", "has an unknown key 'steps'; there are repeat, simulator, step"),
        (f"repeat = 1\n{HALT}", "repeat should be true or false, not 1"),
        (f"repeat = true\n{HALT}", "what is repeated has to take some time"),
        (f"simulator = 1\n{HALT}", "[simulator] should be a table, not 1"),
        (f"[simulator]\nsead = 1\n{HALT}", "[simulator] has an unknown setting 'sead'; there are seed, port, "),
        (f"[simulator]\nseed = 'x'\n{HALT}", "[simulator]: seed should be a whole number, not 'x'"),
        (f"[simulator]\nseed = true\n{HALT}", "[simulator]: seed should be a whole number, not True"),
        (f"[simulator]\nport = 70000\n{HALT}", "[simulator]: port should be from 0 (any free one) to 65535, not 70000"),
        (f"[simulator]\ncanary_interval = 0\n{HALT}", "[simulator]: canary_interval should be above 0, not 0"),
        (f"[simulator]\nlifetime = inf\n{HALT}", "[simulator]: lifetime should be above 0, not inf"),
        ("[[step]]\nafter = 1", "step 1 has no action; there are list_contract, set_status, "),
        (f"{HALT}[[step]]\naction = 'hold'", "step 2 has an unknown action 'hold'; there are list_contract, "),
        ("[[step]]\naction = ['drop']", "step 1 has an unknown action ['drop']; there are "),
        (f"{HALT}[[step]]\naction = 'start'", "step 2 has an unknown action 'start'; there are "),
        (
            f"{HALT}stat = 1",
            "step 1 (set_status) has an unknown argument 'stat'; there are id, status, contract_type, ",
        ),
        ("[[step]]\naction = 'mute'\nid = 'X'", "step 1 (mute) has an unknown argument 'id'; there are none"),
        ("[[step]]\naction = 'set_status'\nid = 'BTCUSDT'", "step 1 (set_status) lacks status"),
        ("[[step]]\naction = 'open_position'", "step 1 (open_position) lacks id, amount"),
        (f"{HALT}push = 1", "step 1 (set_status): push should be true or false, not 1"),
        ("[[step]]\naction = 'refuse'\nstatus = 4.5", "step 1 (refuse): status should be a whole number, not 4.5"),
        ("[[step]]\naction = 'refuse'\nstatus = 429\nretry_after = []", "should be a number of seconds, or a text"),
        ("[[step]]\naction = 'fail_rest'\nheaders = { a = 1 }", "headers should be a table of texts, not {'a': 1}"),
        ("[[step]]\naction = 'push'\nraw = 1", "raw should be a table or a text, not 1"),
        (f"{LISTING}brackets = 1", "brackets should be a list of tables of numbers, not 1"),
        (f"{LISTING}brackets = [{{ bnf = 'x' }}]", "brackets should be a list of tables of numbers, not"),
        (f"{LISTING}brackets = [{{ bnf = 0 }}]", "step 1 (list_contract): bracket 1 lacks bnc"),
        (f"{HALT}after = -1", "step 1: 'after' should be a number of seconds from 0 to 31536000, not -1"),
        (f"{HALT}at = nan", "step 1: 'at' should be a number of seconds from 0 to 31536000, not nan"),
        (f"{HALT}at = true", "step 1: 'at' should be a number of seconds from 0 to 31536000, not True"),
        (f"{HALT}after = 1\nat = 1", "step 1 has both 'after' and 'at'"),
        (f"{HALT}at = 2{HALT}at = 1", "step 2: 'at' is 1 s, but the step before is at 2 s"),
        ("[[step]]\naction = 'set_status'\nid = 'BTCUSD'\nstatus = 'X'", "step 1 (set_status): the simulator has no "),
        ("[[step]]\naction = 'remove_contract'\nid = 'BTCUSD'", "at that time; there is BTCUSDT"),
        (f"{LISTING}{LISTING}", "step 2 (list_contract): contract 'NOVAUSDT' is listed already"),
        (f"repeat = true\n{LISTING}after = 1", "step 1 (list_contract) in round 2: contract 'NOVAUSDT' is listed"),
        ("[[step]]\naction = 'list_contract'\nid = 'nonsense'", "step 1 (list_contract): 'nonsense' is no contract id"),
        ("[[step]]\naction = 'set_price'\nid = 'BTCUSDT'\nprice = -1", "step 1 (set_price): the price must be above"),
        (
            f"{LISTING.replace('+2h', 'soon')}",
            "step 1 (list_contract): onboard_time should be a date from 1970 to 2100",
        ),
        (f"{LISTING.replace('+2h', '+2')}", "onboard_time should be a date from 1970 to 2100"),
        (f"{LISTING.replace('+2h', '+99999w')}", "onboard_time should be a date from 1970 to 2100"),
        ("[[step]]\naction = 'close'\ncode = 70000", "step 1 (close): a close code is two bytes"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(write: Any, text: str, expected: str) -> None:
    """A file that cannot be played is refused with its name, the step, and what is allowed."""
    path = write(text)
    with pytest.raises(ScenarioError) as raised:
        load(path)
    message = str(raised.value)
    assert message.startswith(str(path))
    assert expected in message


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A file that is not there, a folder, or one that is no text is an error of the same kind."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name, expected in (("none", "No such file"), (".", "directory"), ("binary", "this is no TOML")):
        with pytest.raises(ScenarioError, match=expected):
            load(tmp_path / name)


def test_each_action_can_be_checked() -> None:
    """Each action is a method of the simulator, and the type of each of its parameters can be checked."""
    for action in scenario.ACTIONS:
        parameters = inspect.signature(getattr(BinanceSimulator, action)).parameters.values()
        kinds = {str(each.annotation).removesuffix(" | None") for each in parameters if each.name != "self"}
        assert set() == kinds.difference(scenario._KINDS)


# What is played


def test_steps_are_played_in_order_with_their_dates(write: Any) -> None:
    """Relative dates count from the step; ISO dates, TOML's dates and ms are taken as they are; "never" is None."""
    dates = ['"2027-01-29T09:00Z"', "2027-01-29T10:00:00+01:00", '"2027-01-29 09:00"', "1801213200000"]
    steps = [
        f"[[step]]\naction = 'schedule_delisting'\nid = 'BTCUSDT'\ndelivery_time = {date}"
        for date in (*dates, "2027-01-29", '"+1w2d3h4m5s"', '"-1d"', '"never"')
    ]
    before = time.time_ns() // 1_000_000
    simulator = BinanceSimulator()
    played = playing(load(write("\n".join(steps))), simulator)
    after = time.time_ns() // 1_000_000
    times = [each.arguments["delivery_time"] for each in played]
    assert [1801213200000] * 4 + [1801180800000] == times[:5]
    distance = ((9 * 24 + 3) * 60 + 4) * 60_000 + 5000
    assert before + distance <= times[5] <= after + distance
    assert before - 86_400_000 <= times[6] <= after - 86_400_000
    assert times[7] is None
    assert 4133404800000 == simulator.contracts["BTCUSDT"]["deliveryDate"]
    assert list(range(1, 9)) == [each.step.number for each in played]


def test_waits_come_from_after_and_at(write: Any) -> None:
    """`after` counts from the step before, `at` from the beginning; without either, a step follows at once."""
    steps = load(write(f"{HALT}after = 0.1{HALT}after = 0.2{HALT}at = 0.3{HALT}{HALT}at = 2")).steps
    assert [0.1, 0.2, 0.0, 0.0, 1.7] == [round(step.wait, 9) for step in steps]


def test_rounds_have_their_own_ids(write: Any) -> None:
    """With `repeat` the steps begin again, and {round} in a text is the number of the round."""
    repeated = load(write("repeat = true" + LISTING.replace("NOVA", "NOVA{round}") + "after = 0.001"))
    simulator, stop = BinanceSimulator(), threading.Event()
    rounds: list[int] = []

    def told(played: Played) -> None:
        rounds.append(played.round)
        if played.round == 3:
            stop.set()

    repeated.play(simulator, stop, told)
    assert [1, 2, 3] == rounds
    assert {"NOVA1USDT", "NOVA2USDT", "NOVA3USDT"} < set(simulator.contracts)


def test_settings_are_the_simulators(write: Any) -> None:
    """[simulator] makes the simulator; the caller's settings replace it, and the file is checked with them."""
    path = write(f"[simulator]\nseed = 3\napi_key = 'mine'{HALT}")
    assert "mine" == load(path).simulator().api_key
    assert set(BinanceSimulator(seed=3).contracts) == set(load(path).simulator().contracts)
    assert set(BinanceSimulator(seed=4).contracts) == set(load(path, seed=4).simulator().contracts)
    other = next(iter(set(BinanceSimulator(seed=4).contracts).difference(BinanceSimulator(seed=3).contracts)))
    path = write(f"[simulator]\nseed = 3\n[[step]]\naction = 'remove_contract'\nid = '{other}'")
    assert 1 == len(load(path, seed=4).steps)
    with pytest.raises(ScenarioError, match="no contract"):
        load(path)


def test_an_error_leaves_what_is_checked_untouched(write: Any) -> None:
    """A mistake in the last step is found before the first one is played."""
    with pytest.raises(ScenarioError, match="step 2"):
        load(write(f"{LISTING}[[step]]\naction = 'remove_contract'\nid = 'NOSUCHUSDT'"))


def test_a_wait_is_interrupted(write: Any) -> None:
    """`playing` ends with its context, however long the next step would wait, and leaves no thread."""
    with load(write(f"{HALT}after = 3600")).playing(BinanceSimulator()) as player:
        assert player.daemon
    assert not player.is_alive()


def test_what_is_not_possible_any_more_is_told(write: Any) -> None:
    """If other code has removed a contract meanwhile, the error is raised, also from the thread."""
    simulator, checked = BinanceSimulator(), load(write(HALT))
    simulator.remove_contract("BTCUSDT")
    with pytest.raises(ScenarioError, match=r"step 1 .set_status.: the simulator has no contract 'BTCUSDT'"):
        playing(checked, simulator)
    with pytest.raises(ScenarioError, match="step 1"), checked.playing(simulator) as player:
        player.join(PATIENCE)


def test_one_connection_that_is_not_there_is_no_error(write: Any, sim: BinanceSimulator) -> None:
    """`only` means a connection that may not be there when its time comes."""
    assert 1 == len(playing(load(write("[[step]]\naction = 'drop'\nonly = 0")), sim))


# The scenario that comes with the simulator


def test_life_goes_on() -> None:
    """It is valid for any seed, something happens every second or two, and it repeats."""
    life = load(LIFE, seed=9)
    assert life.repeat
    assert 2.0 >= max(step.wait for step in life.steps)
    assert 20 < sum(step.wait for step in life.steps) < 90


@pytest.mark.real_size
def test_life_has_something_of_every_kind(sim: BinanceSimulator) -> None:
    """An exchange that follows two rounds of it is told of all kinds, and its markets match the simulator's."""
    life, updates, simulator = hastened(load(LIFE)), Inbox(), sim
    with simulator.connect(cci.binance({"options": {"contractInfo": {"backoff_base": 0.01}}})) as exchange:
        exchange.on_contract_info(updates)
        stream = exchange.contract_info_stream()
        assert stream.wait_until_live(PATIENCE)
        for round in (1, 2):
            for step in life.steps:
                if step.action == "drop":
                    handshakes = len(simulator.handshakes)
                    simulator.drop()
                    simulator.wait_until(lambda before=handshakes: len(simulator.handshakes) > before, PATIENCE)
                    assert stream.wait_until_live(PATIENCE)
                else:
                    life._perform(step, simulator, round)
            assert stream.resync(PATIENCE)
        kinds = {"listed", "trading", "halted", "cancel_only", "resumed", "delisting", "settling", "delisted", "tiers"}
        updates.wait_for(lambda: kinds <= {kind for update in updates.items for kind in update["kinds"]})
        health = stream.health()
        assert (0, 0, 0) == tuple(health[name] for name in ("malformed", "callback_errors", "unknown_values"))
        states = {id: entry.get("status", entry.get("contractStatus")) for id, entry in simulator.contracts.items()}
        markets = {market["id"]: market["status"] for market in exchange.markets.values() if market["contract"]}
        assert states == {id: status for id, status in markets.items() if id in states}


def test_commands_with_a_simulator_live() -> None:
    """With --simulator, a command's exchange has a key, and something happens on it for as long as it lives."""
    arguments = options.connection_options().parse_args(["--simulator"])
    with cli_exchange.connected_exchange(arguments) as exchange:
        updates = Inbox()
        exchange.on_contract_info(updates)
        assert updates.wait(2)
        assert exchange.fetch_leverage_tiers(["BTC/USDT:USDT"])
        names = [thread.name for thread in threading.enumerate()]
    assert "ccxt-contractinfo-scenario" in names
