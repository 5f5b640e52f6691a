"""What can happen in a storm: faults of the network, of REST and of what is pushed, and the life of contracts."""

from __future__ import annotations

import json
import os
import struct
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import ccxt

import ccxt_contractinfo as cci
from ccxt_contractinfo.simulator import BinanceSimulator
from ccxt_contractinfo.simulator.faults import SICK
from tests.interrupting import Interrupt

from .loops import CALLBACK, ITERATE

if TYPE_CHECKING:
    from .storm import Storm

Action = Callable[["Storm"], object]


class Kind(NamedTuple):
    """One kind of happening."""

    name: str
    act: Action
    is_fault: bool = True
    lasts: bool = False
    """Until the simulator recovers."""
    takes: float = 0.0
    """s; how long it has to last at least, at times, to be noticed."""


CLOSE_CODES = (*range(1000, 1016), 3000, 4000, 4999, 0, 999, 65535)
STATUSES = (400, 403, 404, 418, 429, 500, 502, 503, 504)
RETRY_AFTERS = (*(None, 0, "0.05", "Thu, 01 Jan 1970 00:00:00 GMT", "soon", "-1", "") * 3, 1)
MALFORMED: tuple[str | bytes, ...] = (
    "",
    "null",
    "{",
    "[[[[]]]]}",
    '{"e":"contractInfo"}',
    '{"e":"contractInfo","E":"now","s":"BTCUSDT","ct":"PERPETUAL","dt":1,"ot":1,"cs":"TRADING"}',
    '{"e":"contractInfo","E":1,"s":"","ct":"PERPETUAL","dt":1,"ot":1,"cs":"TRADING"}',
    '{"e":"contractInfo","E":1,"s":"BTCUSDT","ct":"PERPETUAL","dt":-1,"ot":1,"cs":"TRADING"}',
    '{"e":"contractInfo","E":1,"s":"BTCUSDT","ct":"PERPETUAL","dt":1,"ot":1,"cs":"TRADING","bks":[{"bs":1}]}',
    '{"e":"contractInfo","E":1,"s":"BTCUSDT","ct":"PERPETUAL","dt":1,"ot":1,"cs":"TRADING","bks":{}}',
    '{"error":{"code":2,"msg":"Invalid request"},"id":1}',
    '{"result":null}',
    "[" * 3000 + "]" * 3000,
    '{"e":1e999}',
    b"\xff\xfe\x00\x80",
    '{"e":"contractInfo","s":"\ud800"}',
)
REST_BODIES: tuple[str, ...] = (
    '{"symbols":[{"symbol":"BTCUSDT","sta',
    "<html><body>Maintenance</body></html>",
    '{"symbols":[]}',
    '{"code":-1000,"msg":"An unknown error occurred while processing the request."}',
    "null",
    "",
    '{"symbols":[{"status":"TRADING"}]}',
)


# The connection


def drop(storm: Storm) -> None:
    storm.sim.drop()


def close(code: int) -> Action:
    return lambda storm: storm.sim.close(code, storm.rng.choice(("", "bye", "ü" * 60)))


def stall(inside_frame: bool) -> Action:
    return lambda storm: storm.sim.stall(inside_frame=inside_frame)


def stall_after_frame(storm: Storm) -> object:
    told = storm.world.set_status(push=True)
    storm.sim.stall()
    return told


def mute(storm: Storm) -> None:
    storm.sim.mute()


def refuse(status: int) -> Action:
    def act(storm: Storm) -> object:
        after = storm.rng.choice(RETRY_AFTERS)
        body = storm.rng.choice((None, "", "<html>no</html>", {"code": -1, "msg": "no"}, b"\xff\x00" * 500))
        storm.sim.refuse(status, retry_after=after, body=body, times=storm.rng.choice((1, 2, 5, None)))
        storm.sim.drop()
        return f"Retry-After {after!r}"

    return act


def refuse_sick(sick: str) -> Action:
    """Refuse with a body that does not come whole."""

    def act(storm: Storm) -> object:
        status, after = storm.rng.choice(STATUSES), storm.rng.choice(RETRY_AFTERS)
        storm.sim.refuse(status, retry_after=after, body="no" * 500, times=storm.rng.choice((1, 2, 5)), sick=sick)
        storm.sim.drop()
        return f"{status}, Retry-After {after!r}"

    return act


def lag(storm: Storm) -> object:
    seconds = storm.rng.choice((2, 20, 60, 3600))
    storm.sim.lag(seconds)
    return seconds


def frames(storm: Storm, *, name: str) -> None:
    storm.sim.send_bytes(_FRAMES[name](storm))


def _frame(first: int, payload: bytes, length: int | None = None) -> bytes:
    size = len(payload) if length is None else length
    if size < 126:
        return struct.pack("!BB", first, size) + payload
    if size < 1 << 16:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload


_FRAMES: dict[str, Callable[[Storm], bytes]] = {
    "garbage": lambda storm: storm.rng.randbytes(storm.rng.randrange(1, 400)),
    "reserved opcode": lambda storm: _frame(0x83, b"x"),
    "reserved bits": lambda storm: _frame(0xF1, b"{}"),
    "huge length": lambda storm: _frame(0x81, b"{", 1 << 40),
    "length of half a frame": lambda storm: _frame(0x81, b'{"e":', storm.rng.choice((80, 700, 100_000))),
    "binary frame": lambda storm: _frame(0x82, storm.rng.randbytes(50)),
    "continuation of nothing": lambda storm: _frame(0x80, b"x"),
    "unfinished message": lambda storm: _frame(0x01, b'{"e":'),
    "fragments": lambda storm: _frame(0x01, b'{"result":') + _frame(0x89, b"p") + _frame(0x80, b'null,"id":1}'),
    "long ping": lambda storm: _frame(0x89, b"p" * 200),
    "unasked pong": lambda storm: _frame(0x8A, b"never asked"),
    "close without a code": lambda storm: _frame(0x88, b""),
    "close of one byte": lambda storm: _frame(0x88, b"\x03"),
}


def server_ping(storm: Storm) -> None:
    storm.sim.send_ping(storm.rng.choice((b"", b"p" * 125, "1700000000000")))


def many_pings(storm: Storm) -> None:
    for number in range(15):  # more answers than Binance takes within a second
        storm.sim.send_ping(str(number))


def shutdown(storm: Storm) -> None:
    storm.sim.push({"e": "serverShutdown"})


def nested_shutdown(storm: Storm) -> None:
    storm.sim.push({"event": {"e": "serverShutdown", "E": int(time.time() * 1000)}})


# What is pushed


def malformed(storm: Storm) -> object:
    raw = storm.rng.choice(MALFORMED)
    storm.sim.push(raw)
    return ascii(raw[:60])


def giant(storm: Storm) -> None:
    storm.sim.push(json.dumps({"e": "contractInfo", "junk": "x" * 400_000}))


def duplicate(storm: Storm) -> object:
    """The newest push of a contract once more, or twice."""
    newest = {raw["s"]: raw for raw in storm.recorded()}
    if not newest:
        return "nothing"
    raw = storm.rng.choice(list(newest.values()))
    for _ in range(storm.rng.choice((1, 2))):
        _replay(storm, raw)
    return raw["s"]


def reordered(storm: Storm) -> object:
    """An earlier push, behind newer ones of its contract where there are any."""
    recorded = storm.recorded()
    if not recorded:
        return "nothing"
    newest = {raw["s"]: raw for raw in recorded}
    overtaken = [raw for raw in recorded if raw is not newest[raw["s"]]]
    raw = storm.rng.choice(overtaken if overtaken and storm.rng.random() < 0.8 else recorded)
    _replay(storm, raw)
    return f"{raw['s']} {raw['cs']} E={raw['E']}"


def skewed(storm: Storm) -> object:
    """The newest push of a contract once more, without its brackets, by a clock that is wrong."""
    newest = {raw["s"]: raw for raw in storm.recorded()}
    if not newest:
        return "nothing"
    raw = storm.rng.choice(list(newest.values()))
    off = storm.rng.choice((5_000, 90_000, 3_600_000, 10**15, 2**63, -5_000, -3_600_000))
    event_time = int(time.time() * 1000) + off
    _replay(storm, {**raw, "E": event_time, "bks": []})
    return f"{raw['s']} {raw['cs']} E={event_time}"


def _replay(storm: Storm, raw: dict[str, Any]) -> None:
    id = raw["s"]
    storm.world.touched.add(id)
    if raw.get("bks"):
        storm.world.bracketed.add(id)
    storm.sim.push(raw)


# REST


def fail_rest(status: int) -> Action:
    def act(storm: Storm) -> object:
        after = storm.rng.choice(RETRY_AFTERS) if status in (418, 429, 503) else None
        headers = {} if after is None else {"Retry-After": str(after)}
        storm.sim.fail_rest(status, times=storm.rng.choice((1, 3, None)), headers=headers)
        storm.ask_all()
        return f"Retry-After {after!r}"

    return act


def bad_rest(body: str) -> Action:
    def act(storm: Storm) -> None:
        storm.lie(body, storm.rng.choice((1, 3, None)))
        storm.ask_all()

    return act


def hold_rest(storm: Storm) -> None:
    storm.sim.hold_rest()
    storm.ask_all()


# The contracts' life


def pushed(change: str) -> Action:
    return lambda storm: getattr(storm.world, change)(push=True)


def unpushed(change: str) -> Action:
    return lambda storm: getattr(storm.world, change)(push=False)


def remove(storm: Storm) -> object:
    return storm.world.remove()


def burst(storm: Storm) -> object:
    return [storm.world.set_status(push=True) for _ in range(10)]


# What users do


def reload(storm: Storm) -> object:
    attached = storm.rng.choice(storm.attached())
    storm.reload(attached)
    return attached.name


def resync(storm: Storm) -> object:
    name, stream = storm.rng.choice(list(storm.streams.items()))
    storm.users.submit(lambda: stream.resync(0.3))
    return name


def reload_at_once(storm: Storm) -> object:
    attached = storm.rng.choice(storm.asyncio())
    count = storm.rng.choice((2, 3))
    storm.reload(attached, lambda: attached.reload_at_once(count))
    return attached.name


def cancel_reload(storm: Storm) -> object:
    attached = storm.rng.choice(storm.asyncio())
    after = storm.rng.choice((0.0, 0.001, 0.004, 0.01))
    storm.reload(attached, lambda: attached.reload_cancelled(after))
    return f"{attached.name} after {after}"


def subscribe_and_cancel(storm: Storm) -> object:
    attached = storm.rng.choice(storm.attached())
    storm.users.submit(attached.subscribe_and_cancel)
    return attached.name


def watch(storm: Storm) -> object:
    attached = storm.rng.choice(storm.attached())
    symbols = storm.rng.choice((None, ["BTCUSDT"] if "linear" in attached.name else None))
    storm.users.submit_apart(lambda: attached.watch(symbols))
    return attached.name


def detach(storm: Storm) -> object:
    attached = storm.rng.choice(storm.own)
    attached.blind()
    attached.detach()
    return attached.name


def detach_and_go_on(storm: Storm) -> object:
    attached = storm.rng.choice(storm.asyncio())
    attached.blind()
    attached.detach()
    attached.follow()
    attached.resume()
    return attached.name


def cancel_detach(storm: Storm) -> object:
    attached = storm.rng.choice(storm.asyncio())
    attached.blind()
    after = storm.rng.choice((0.0, 0.0, 0.001))
    attached.detach_cancelled(after)
    return f"{attached.name} after {after}"


def follow_again(storm: Storm) -> object:
    attached = storm.rng.choice(storm.own)

    def act() -> None:
        attached.follow()
        attached.resume()

    storm.users.submit(act)
    return attached.name


def attach_guest(storm: Storm) -> object:
    kind = storm.rng.choice(("binanceusdm", "binancecoinm"))
    face = storm.rng.choice(("sync", "sync", "async_support", "pro"))
    storm.invite(kind, face)
    return f"{face} {kind}"


def close_guest(storm: Storm) -> None:
    storm.dismiss()


def share_again(storm: Storm) -> None:
    storm.share()


def restart(storm: Storm) -> object:
    """Stop a stream, let something change that it does not see, and start it."""
    name, stream = storm.rng.choice(list(storm.streams.items()))
    for attached in storm.attached():
        if attached.is_reloading:  # what a reload brings while nothing is followed is told to nobody
            attached.blind()
    stream.stop()
    changed = [storm.world.set_status(push=storm.rng.random() < 0.5) for _ in range(3)]
    stream.start()
    for attached in storm.attached():
        attached.resume()
    return f"{name} {changed}"


def stop_in_another_thread(storm: Storm) -> object:
    """Stop and start in two threads at once; whoever comes last wins, so that the next calm has to start it."""
    name, stream = storm.rng.choice(list(storm.streams.items()))
    for attached in storm.attached():
        attached.blind()
    thread = threading.Thread(target=stream.stop, name="storm-stop")
    thread.start()
    stream.start()
    thread.join()
    return name


def interrupt(storm: Storm) -> object:
    """Ctrl-C in the middle of a stop or a start; the next calm starts the stream, if it has to."""
    name, stream = storm.rng.choice(list(storm.streams.items()))
    for attached in storm.attached():
        attached.blind()
    what = storm.rng.choice((stream.stop, stream.start))
    if what == stream.start:
        stream.stop()
    with Interrupt(storm.rng.randrange(1, 80)) as interrupted:
        what()
    return f"{name} {what.__name__} at {interrupted.where}"


# What happens to loops


def block_loop(storm: Storm) -> object:
    loop, seconds = storm.rng.choice(storm.loops), storm.rng.choice((0.05, 0.2, 0.6))
    loop.soon(time.sleep, seconds)
    return f"{loop.name} {seconds}"


def stand_still(storm: Storm) -> object:
    loop, seconds = storm.rng.choice(storm.loops), storm.rng.choice((0.05, 0.3, 0.8))
    loop.stand(seconds)
    return f"{loop.name} {seconds}"


def cancel_tasks(storm: Storm) -> object:
    loop = storm.rng.choice(storm.loops)
    loop.cancel([storm.rng.random() for _ in range(storm.rng.choice((1, 3)))])
    return loop.name


def cancel_callback(storm: Storm) -> object:
    attached = storm.rng.choice(storm.asyncio())
    attached.cancel_callback()
    return attached.name


def close_loop(storm: Storm) -> object:
    """End a loop, as at the end of one `asyncio.run`, and begin another one."""
    loop, spared = storm.rng.choice(storm.loops), storm.rng.choice(("", CALLBACK, ITERATE))
    loop.renew(spared)
    return f"{loop.name}, left pending: {spared or 'nothing'}"


KINDS: tuple[Kind, ...] = (
    *(Kind("reset", drop) for _ in range(5)),
    *(Kind(f"close {code}", close(code)) for code in CLOSE_CODES),
    *(Kind("stall", stall(False), lasts=True, takes=0.5) for _ in range(2)),
    *(Kind("stall inside a frame", stall(True), lasts=True, takes=0.5) for _ in range(2)),
    Kind("stall after a frame", stall_after_frame, lasts=True, takes=0.5),
    *(Kind("mute", mute, lasts=True, takes=0.6) for _ in range(2)),
    *(Kind(f"refuse {status}", refuse(status), lasts=True) for status in STATUSES),
    *(Kind(f"refuse, {sick}", refuse_sick(sick), lasts=True) for sick in SICK),
    *(Kind("late canary", lag, lasts=True) for _ in range(3)),
    *(Kind(f"bytes: {name}", lambda storm, name=name: frames(storm, name=name)) for name in _FRAMES),
    *(Kind("server ping", server_ping) for _ in range(2)),
    Kind("many server pings", many_pings),
    Kind("serverShutdown", shutdown),
    Kind("serverShutdown, nested", nested_shutdown),
    *(Kind("malformed push", malformed) for _ in range(6)),
    *(Kind("giant frame", giant) for _ in range(2)),
    *(Kind("duplicate push", duplicate) for _ in range(6)),
    *(Kind("reordered push", reordered) for _ in range(6)),
    *(Kind("skewed push", skewed) for _ in range(6)),
    *(Kind(f"REST {status}", fail_rest(status), lasts=True) for status in (418, 429, 500, 502, 503)),
    *(Kind(f"REST says {body[:16]!r}", bad_rest(body), lasts=True) for body in REST_BODIES),
    *(Kind("REST held", hold_rest, lasts=True, takes=0.5) for _ in range(4)),
    *(Kind("status", pushed("set_status"), is_fault=False) for _ in range(6)),
    *(Kind("burst of statuses", burst, is_fault=False) for _ in range(2)),
    *(Kind("status, not pushed", unpushed("set_status")) for _ in range(4)),
    *(Kind("delivery", pushed("set_delivery"), is_fault=False) for _ in range(4)),
    *(Kind("delivery, not pushed", unpushed("set_delivery")) for _ in range(3)),
    *(Kind("contract type", pushed("set_type"), is_fault=False) for _ in range(2)),
    *(Kind("contract type, not pushed", unpushed("set_type")) for _ in range(2)),
    *(Kind("brackets", pushed("set_brackets"), is_fault=False) for _ in range(5)),
    *(Kind("brackets, not pushed", unpushed("set_brackets")) for _ in range(2)),
    *(Kind("listing", pushed("list_contract"), is_fault=False) for _ in range(4)),
    *(Kind("listing, not pushed", unpushed("list_contract")) for _ in range(2)),
    *(Kind("removal", remove) for _ in range(3)),
    *(Kind("reload", reload, is_fault=False) for _ in range(6)),
    *(Kind("reloads at once", reload_at_once, is_fault=False) for _ in range(2)),
    *(Kind("reload, cancelled", cancel_reload) for _ in range(3)),
    *(Kind("resync", resync, is_fault=False) for _ in range(3)),
    *(Kind("subscribe and cancel", subscribe_and_cancel, is_fault=False) for _ in range(2)),
    *(Kind("watch", watch, is_fault=False) for _ in range(2)),
    Kind("detach", detach, is_fault=False),
    Kind("detach and go on", detach_and_go_on, is_fault=False),
    *(Kind("detach, cancelled", cancel_detach) for _ in range(2)),
    Kind("follow again", follow_again, is_fault=False),
    *(Kind("attach a guest", attach_guest, is_fault=False) for _ in range(2)),
    *(Kind("close a guest", close_guest, is_fault=False) for _ in range(2)),
    Kind("share markets again", share_again, is_fault=False),
    *(Kind("stop and start", restart, is_fault=False) for _ in range(2)),
    Kind("stop while it starts", stop_in_another_thread, is_fault=False),
    *(Kind("interrupted", interrupt) for _ in range(3)),
    *(Kind("loop blocked", block_loop) for _ in range(3)),
    *(Kind("loop stands still", stand_still) for _ in range(3)),
    *(Kind("tasks cancelled", cancel_tasks) for _ in range(5)),
    *(Kind("callback cancelled", cancel_callback) for _ in range(3)),
    *(Kind("loop closed", close_loop) for _ in range(3)),
)
"""As often as they are to be drawn."""

LEFT_OUT = frozenset(filter(None, os.environ.get("STORM_WITHOUT", "").split(",")))
"""Kinds that are left out, to find out which one a failure needs."""


def deck() -> list[Kind]:
    return [kind for kind in KINDS if kind.name not in LEFT_OUT]


def burn_hidden(sim: BinanceSimulator) -> None:
    """Let REST know at last what it was not to know for some answers."""
    exchange = sim.connect(ccxt.binanceusdm({"enableRateLimit": False}))
    for _ in range(4):
        exchange.fapiPublicGetExchangeInfo()
        exchange.dapiPublicGetExchangeInfo()
    exchange.close()


def stream_of(exchange: Any) -> cci.ContractInfoStream:
    stream: cci.ContractInfoStream = exchange.contract_info_stream()
    return stream
