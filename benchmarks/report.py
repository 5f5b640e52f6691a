"""From the results to Markdown: each figure beside what it means, and the aims beside what was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from .frames import MARK_PRICE
from .heartbeat import LOCK, LONG, MACHINE, OWN, THREADS
from .measures.asyncio_push import RIVAL, THREAD
from .measures.hub import HUB, VENUE, WAYS
from .measures.loop_held import NOTHING, PLAIN, RELOADS
from .subjects.profiled import what_it_is

Results = dict[str, Any]

HEAD = """# Benchmarks

Made by `python -m benchmarks`; the values of all runs are in `results.json`. A figure is the median of the runs, with
the lowest and the highest as multiples of it in brackets. Differences under 1.4 times mean nothing. Client and server
are processes of one machine and talk through the loopback, without TLS.
"""

TINY = "**These are from a run with `--quick`, whose sizes are too small for the figures to mean anything.**\n"


def markdown(results: Results) -> str:
    """The whole report."""
    parts = [HEAD]
    if any(each.get("is_quick") for each in results.values()):
        parts.append(TINY)
    parts.append(_aims(results))
    sections = {
        "throughput": _throughput,
        "latency": _latency,
        "cost": _cost,
        "polling": _polling,
        "growth": _growth,
        "start": _start,
        "profile": _profile,
        "instructions": _instructions,
        "asyncio_push": _asyncio_push,
        "loop_held": _loop_held,
        "hub": _hub,
        "orders": _orders,
    }
    for name, section in sections.items():
        if name in results:
            parts.append(_section(results[name], section, name))
    return "\n".join(parts)


def _section(found: Results, section: Any, name: str) -> str:
    body = f"Failed: {found['failed']}\n" if "failed" in found else section(found)
    machine = found["machine"]
    where = f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}, {machine['system']}"
    return f"## {name.capitalize().replace('_', ' ')}\n\n{body}\n{found['runs']} runs, {where}, {machine['date']}.\n"


# The sections


def _throughput(found: Results) -> str:
    floors = found["subjects"].get("floor")
    rows = []
    for name, each in found["subjects"].items():
        row = [name]
        for kind in ("status", "brackets"):
            cpu = each[kind]["cpu"]
            row += [_spread(cpu), _times(cpu, floors and floors[kind]["cpu"]), _spread(each[kind]["wall"])]
        rows.append([*row, _faults(each["faults"])])
    names = ["subject", "status: CPU", "of the floor", "wall", "8 brackets: CPU", "of the floor", "wall", "faults"]
    does = [
        [name, each["does"], ", ".join(f"{package} {version}" for package, version in each["versions"].items())]
        for name, each in found["subjects"].items()
    ]
    skipped = "".join(f"\n{name} was skipped: {why}.\n" for name, why in found["skipped"].items())
    count, contracts = found["pushes"], found["contracts"]
    return f"""A burst of {count} pushes about {contracts} contracts in turn, from the socket to a callback; each push
changes something. CPU: of all threads of the process, from when it was ready to its last callback. Wall: from the first
byte sent to the last callback. Both are in µs a push. Faults are pushes lost or dropped, callbacks missed, and
markets that were wrong in the end. contractinfo has its default settings, but for a `settle_time` that keeps
comparisons with REST out of the burst.

{_table(names, rows)}
{_table(["subject", "what it does with each push", "versions"], does)}{skipped}"""


def _latency(found: Results) -> str:
    rows = []
    for rate, each in found["rates"].items():
        floors = each["subjects"].get("floor")
        for name, to in each["subjects"].items():
            for what, spread in to.items():
                base = floors and floors["callback"]
                rows.append([rate, name, what, _spread(spread["median"]), _spread(spread["p99"])])
                rows[-1] += [_times(spread["p99"], base and base["p99"]), _number(spread["p99_of_all"])]
    counts = " and ".join(f"{each['pushes']} at {rate} a second" for rate, each in found["rates"].items())
    names = ["pushes a second", "subject", "to the", "median", "99th percentile", "of the floor's", "of all runs"]
    return f"""From the server's send to the callback, and to `exchange.market(...)` being true, in µs, by the one
monotonic clock that processes of a machine share. The market's time is taken in a filter of updates, which the reader
asks right after it has published the market: that adds one call to each push, and no thread. Pushes in each run:
{counts}; where they are fewer than 100, the 99th percentile is the worst.

{_table(names, rows)}"""


def _cost(found: Results) -> str:
    rows = [["no stream", _spread(found["alone"])]]
    rows += [[f"stream, {rate} pushes a second", _spread(each)] for rate, each in found["slowdown"].items()]
    waits = [[event, _spread(each), _number(each["longest"])] for event, each in found["waits"].items()]
    idle = found["idle"]
    count, seconds, size = found["contracts"], idle["seconds"], idle["stream_bytes"]
    return f"""How much longer a CPU-bound thread of the bot takes for the same work, {count} contracts, one callback:

{_table(["beside", "time taken"], rows)}
The longest time (ms) for which that thread had to wait, within the second around an event ("nothing": no event, so what
the machine itself does):

{_table(["event", "median", "worst"], waits)}
An idle stream took {idle["percent"]:.3f} % of a core over {seconds} s, canary and pings included, and {size} bytes.
A comparison with REST that finds nothing takes {_spread(found["resync_ms"])} ms of CPU; there is one in an hour.
"""


def _polling(found: Results) -> str:
    rows = [
        [name, f"{found[way]['percent']:.2f} %", _number(found[way]["bytes"])]
        for way, name in (("polling", "`load_markets(True)` each second"), ("stream", "the stream"))
    ]
    count, seconds = found["contracts"], found["seconds"]
    return f"""Keeping the markets of {count} contracts fresh to one second, over {seconds} s with a push in each: CPU
as a share of a core, and bytes a second (REST is compressed).

{_table(["way", "CPU", "bytes a second"], rows)}"""


def _growth(found: Results) -> str:
    tables = []
    for name, sizes in found.items():
        if isinstance(sizes, dict) and name not in ("pushes", "machine"):
            base = next(iter(sizes.values()))
            rows = [
                [
                    size,
                    *(f"{_spread(each[kind])}, {_times(each[kind], base[kind])}" for kind in ("status", "brackets")),
                    f"{each['memory']['median'] / 2**20:.1f}",
                    _faults(each["faults"]),
                ]
                for size, each in sizes.items()
            ]
            tables.append(_table([name, "status: µs", "8 brackets: µs", "MiB", "faults"], rows))
    long = found["pushes"]
    rows = []
    for kind in ("status", "brackets"):
        sizes = [f"{value / 2**20:.1f}" for value in long[kind]["memory"]]
        rows.append([kind, ", ".join(sizes), _faults(long[kind]["faults"])])
    joined = "\n".join(tables)
    every, count = long["every"], long["pushes"]
    return f"""CPU a push, in µs and as a multiple of the smallest size's, and the memory of the process when it is
live, before the pushes:

{joined}
If exchanges share markets, a push is applied once for all of them. Exchanges with separate markets apply it each, so
that what one account does to its markets never reaches another's; Python's garbage collector has to visit all their
markets.

Memory before, and after each {every} of {count} pushes, with default settings (MiB; the newest updates
are kept for `since`):

{_table(["pushes", "MiB", "faults"], rows)}"""


def _start(found: Results) -> str:
    whats = {
        "import_ccxt": "`import ccxt`",
        "import_this": "`import ccxt_contractinfo` after that",
        "first_use": "the first `cci.binanceusdm` after that, which imports what it needs",
        "alone_live": "a stream by itself: `start()` to 'live'",
        "load_markets": "an exchange: `load_markets()`",
        "exchange_live": "an exchange: `on_contract_info()` to 'live'",
    }
    rows = [[what, _spread(found[name])] for name, what in whats.items() if name in found]
    return f"""In ms, in a new process each time, {found["contracts"]} contracts. The local server sends the canary at
once, Binance within 3 s. The extra `socks` is hidden, which websocket-client would import.

{_table(["what", "ms"], rows)}"""


def _orders(found: Results) -> str:
    rows = [
        [kind, *map(_spread, took.values()), *(_number(adds["median"]) for adds in found["adds"][kind].values())]
        for kind, took in found["took"].items()
    ]
    took = next(iter(found["took"].values()))
    header = ["order", *took, *(f"more: {name}" for name in list(took)[1:])]
    return f"""An order from ccxt's arguments to the signed request, in µs of CPU, without the network. Each run makes
{found["orders"]} of each kind, with and without the order guard (the setting `guard`) in turns, and the quickest batch
counts. The last columns are what it takes more than ccxt's own.

{_table(header, rows)}"""


def _profile(found: Results) -> str:
    shares = found["shares"]
    modules = sorted(shares["brackets"], key=lambda name: -shares["brackets"][name])
    rows = []
    for name in modules:
        of_each = [shares[kind].get(name, 0) for kind in ("status", "brackets")]
        if max(of_each) >= 0.01:
            rows.append([f"`{name}`", what_it_is(name), *(f"{100 * share:.0f} %" for share in of_each)])
    return f"""Where the time of the reader's thread goes: the share of each module in what a push takes, without
waiting, over {found["pushes"]} pushes of each kind. Most of it is work that the floor does not do: each value is
checked, a new market is made beside the old one, with brackets ccxt's tiers and what changed between them and the old
ones, too; then the update is made, and handed to the callback's thread.

{_table(["module", "what it is", "status", "8 brackets"], rows)}"""


def _instructions(found: Results) -> str:
    subjects = found["subjects"]
    floors = subjects.get("floor")
    rows = []
    for name, each in subjects.items():
        rows.append([name])
        for kind in ("status", "brackets"):
            times = f"{each[kind] / floors[kind]:.1f}×" if floors else "–"
            rows[-1] += [_number(each[kind] / 1000), times]
    few, many = found["sizes"]
    names = ["subject", "status: thousand", "of the floor", "8 brackets: thousand", "of the floor"]
    skipped = "".join(f"\n{name} was skipped: {why}.\n" for name, why in found["skipped"].items())
    return f"""How many instructions a push takes, of all threads of the process, counted by valgrind's callgrind: the
difference of two bursts, of {few} and of {many} pushes about {found["contracts"]} contracts. What the system does for
the process, such as reading from the socket, does not count, nor does waiting.

{_table(names, rows)}{skipped}"""


def _asyncio_push(found: Results) -> str:
    receivers, latency = found["receivers"], found["latency"]
    rows = []
    for name, each in receivers.items():
        for kind, of_kind in each["kinds"].items():
            rival, thread = (_of_kind(receivers.get(base), kind) for base in (RIVAL, THREAD))
            cpu, own = of_kind["cpu"], of_kind.get("own")
            row = [name, kind, _spread(cpu), _times(cpu, rival and rival["cpu"]), _times(cpu, thread and thread["cpu"])]
            row += ["–", "–"] if own is None else [_spread(own), _times(own, rival and rival["own"])]
            rows.append([*row, _spread(of_kind["wall"]), f"{100 * of_kind['given']['median']:.1f} %"])
            rows[-1].append(_faults(each["faults"]))
    names = ["what gets it", "push", "CPU", "of ccxt.pro's", "of the thread's", "on the loop's thread", "of ccxt.pro's"]
    names += ["wall", "given", "faults"]
    does = [
        [name, each["does"], ", ".join(f"{package} {version}" for package, version in each["versions"].items())]
        for name, each in receivers.items()
    ]
    late = []
    for name, each in latency["receivers"].items():
        row = [name]
        for what in ("median", "p99"):
            base = latency["receivers"].get(RIVAL)
            row += [_spread(each[what]), _times(each[what], base and base[what])]
        late.append([*row, _number(each["p99_of_all"])])
    late_names = ["what gets it", "median", "of ccxt.pro's", "99th percentile", "of ccxt.pro's", "of all runs"]
    skipped = "".join(f"\n{name} was skipped: {why}.\n" for name, why in found["skipped"].items())
    count, contracts, slow, rate = found["pushes"], found["contracts"], latency["pushes"], latency["rate"]
    return f"""A burst of {count} pushes about {contracts} contracts in turn, in µs a push; each push changes something.
CPU: of all threads of the process, from when it was ready to the last push that was given. On the loop's thread: the
part of it that other tasks have to wait for. Wall: from the first byte sent. Given: how many of the pushes the user's
code was called with, or had returned; ccxt.pro keeps the newest of a burst. contractinfo has its default settings, but
for a `settle_time` that keeps comparisons with REST out of the burst, and a `buffer_size` that holds all of it: the
reader does not wait for a loop that is slower. ccxt.pro's are beside it as what a loop pays to read a push at all: they
keep no markets.

{_table(names, rows)}
{_table(["what gets it", "what happens to each push", "versions"], does)}{skipped}
From the server's send until the user's code has it, in µs, at {rate} pushes a second, {slow} in each run:

{_table(late_names, late)}"""


def _of_kind(receiver: Results | None, kind: str) -> Results | None:
    """What was found of a receiver for a kind of push; mark prices are set beside pushes of a status."""
    return None if receiver is None else receiver["kinds"]["status" if kind == MARK_PRICE else kind]


def _loop_held(found: Results) -> str:
    rows, plain = [], _dig(found, "events", PLAIN)
    long: dict[tuple[str, str], list[Results]] = {}
    for event, each in found["events"].items():
        row = [event, _spread(each["late"]), _number(each["beyond_idle"]), _spread(each["own"])]
        row += [_number(each["worst"][name]) for name in ("late", "own", "collected", "took")]
        causes = Counter(one["cause"] for one in each["long"])
        over = ", ".join(f"{count} by {cause}" for cause, count in causes.most_common()) or "never"
        rows.append([*row, over, str(each["windows"])])
        for one in each["long"]:
            if one["cause"] != MACHINE:
                long.setdefault((event, one["cause"]), []).append(one)
    names = ["event", "held", "beyond an idle loop's", "own CPU", "held at worst", "own CPU at worst"]
    names += ["collecting garbage at worst", "took at most, s", "over 50 ms", "in all"]
    reloads = []
    for event in RELOADS:
        if plain and (each := found["events"].get(event)):
            row = [event]
            for name in ("late", "own"):
                row += [_times(each[name], plain[name]), f"{each[name]['median'] - plain[name]['median']:.1f}"]
            reloads.append(row)
    reload_names = ["event", "held, of plain ccxt's", "more than that", "own CPU, of plain ccxt's", "more than that"]
    ways = []
    for (event, cause), each in long.items():
        worst = max(each, key=_late)
        line, calls = worst["line"], " < ".join(f"`{place}`" for place in worst["stack"])
        ways.append([event, cause, str(len(each)), _number(_late(worst)), f"`{line}`" if line else "", calls])
    held = "Only the machine held the loop for more than 50 ms.\n"
    if ways:
        held = (
            "What else held the loop for more than 50 ms, and of the worst, the line that the loop's thread was at:\n\n"
        )
        held += _table(["event", "by", "times", "held at worst", "line", "calls"], ways)
    return f"""A handle in the bot's loop is due each ms, and notes how late it runs. Held: the longest delay in the
time around an event. Own CPU: the most that the loop's own thread took from one run of the handle to the next. Both are
in ms, as medians of some events; "{NOTHING}" is none, so what the machine itself does, and the handle's own
inexactness. {found["contracts"]} contracts; the bot has a callback, a coroutine function and a waiting task. A delay of
more than 50 ms is put down to the loop's own work if its thread took more than 25 ms of CPU for that; else to a lock if
the thread stood at one; else to collecting garbage if Python took more than 25 ms for that, on any thread; else to
other threads, which hold Python's lock, if the process took more than 25 ms; else to the machine.

{_table(names, rows)}
ccxt itself makes {found["contracts"]} markets in one step of the loop. Beside that, in ms:

{_table(reload_names, reloads)}
{held}"""


def _hub(found: Results) -> str:
    if "skipped" in found:
        return f"It was skipped: {found['skipped']}.\n"
    late, used = [], []
    for bots, ways in found["bots"].items():
        for way in WAYS:
            each, base = ways[way], ways[VENUE]
            row = [bots, way]
            for what in ("median", "p99"):
                row += [_spread(each[what]), _times(each[what], base[what])]
            late.append([*row, _number(each["p99_of_all"])])
        for part, times in (("push", 1e6), ("idle", 100)):
            row = [bots, "a push, µs" if part == "push" else "idle, % of a core"]
            for way, name in ((HUB, "hub"), (HUB, "redis"), (HUB, "bots"), (VENUE, "bots")):
                value = ways[way][part][name]["median"] * times / (int(bots) if name == "bots" else 1)
                row.append(f"{value:.3f}" if part == "idle" else f"{value:,.0f}")
            used.append(row)
    memory, rest = found["memory"], found["rest"]
    kept = [
        [name, *(f"{memory[key][of]:,}" for of in ("entries", "stream", "snapshot", "used"))]
        for key, name in (("day", "a day"), ("many", f"{memory['more']:,} pushes more"))
    ]
    asked = [[way, *(f"{each[part]:,}" for part in ("start", "comparison"))] for way, each in rest["ways"].items()]
    late_names = ["bots", "way", "median", "of the venue's", "99th percentile", "of the venue's", "of all runs"]
    used_names = ["bots", "CPU", "the hub", "Redis", "a bot on the hub", "a bot at the venue"]
    count, rate, together, contracts = (found[name] for name in ("pushes", "rate", "together", "contracts"))
    beats, pushes, comparisons = (memory[name] for name in ("beats", "pushes", "comparisons"))
    return f"""From the server's first send of a push to a bot's callback, in µs, of all bots together: {count} pushes
of a status in each run, {rate} a second, {contracts} contracts. Each bot is an exchange with a stream that no other bot
has; up to {together} of them share a process, and with it Python's lock. Server, hub, Redis {found["redis"]} and bots
share one machine, so with many bots most of the time is spent waiting for a core.

{_table(late_names, late)}
CPU of these processes: while the venue pushes nothing ("idle"), and what a push takes beyond that.

{_table(used_names, used)}
What Redis holds, in bytes: the stream and the snapshot by MEMORY USAGE, all by `used_memory` beyond an empty Redis's. A
day: {beats:,} beats, {pushes} pushes, half of them with 8 brackets, and {comparisons} comparisons with REST, which find
nothing new. The hub has a key. Beats and further pushes are entries that the hub has
written, written again by the hub's own script.

{_table(["after", "entries", "stream", "snapshot", "all"], kept)}
Weight of the requests that {rest["bots"]} bots, and the hub if there is one, made to exchangeInfo and leverageBracket,
as Binance counts them: 1 each. A start is `load_markets()`, and the two comparisons at the beginning.

{_table(["way", "start", "one comparison each"], asked)}
{_thousand(found)}
"""


def _thousand(found: Results) -> str:
    """What a thousand bots ask of one Redis: by the difference of the most and the fewest bots."""
    few, *_, many = found["bots"]

    def of(part: str, name: str) -> str:
        fewest, most = (found["bots"][size][HUB][part][name]["median"] for size in (few, many))
        return _number(1000 * (most - fewest) / (int(many) - int(few)) * (100 if name == "redis" else 1))

    return f"""By the difference of {few} and {many} bots, a thousand bots ask one Redis for {of("idle", "requests")}
requests and {of("idle", "sent")} bytes a second, and take {of("idle", "redis")} % of a core for it, while the venue
pushes nothing. Each push brings {of("push", "requests")} requests and {of("push", "sent")} bytes more."""


def _late(one: Results) -> float:
    late: float = one["late"]
    return late


# The aims


def _aims(results: Results) -> str:
    rows = [[aim, figure, "yes" if is_met else "**no**"] for aim, figure, is_met in _found_aims(results)]
    return f"## Aims\n\n{_table(['aim', 'found', 'met'], rows)}"


def _found_aims(results: Results) -> Iterable[tuple[str, str, bool]]:
    yield from _found_of_throughput(_dig(results, "throughput", "subjects") or {})
    yield from _found_of_latency(_dig(results, "latency", "rates") or {})
    contracts = _dig(results, "growth", "contracts")
    if contracts:
        for kind in ("status", "brackets"):
            costs = [each[kind]["median"] for each in contracts.values()]
            ratio = max(costs) / min(costs)
            aim = f"a push ({kind}) costs the same whatever the number of contracts (within 1.4 times)"
            yield aim, f"{ratio:.2f} times", ratio < 1.4
    for name, limits in (("exchanges with separate markets", (20, 60)), ("exchanges that share markets", (2, 4))):
        sizes = _dig(results, "growth", name)
        if sizes:
            size = list(sizes)[-1]
            for kind, limit in zip(("status", "brackets"), limits, strict=True):
                each = sizes[size][kind]["median"] / int(size)
                yield f"{size} {name}, {kind}: under {limit} µs a push each", f"{each:.1f} µs", each < limit
    adds = _dig(results, "start", "adds", "median")
    if adds:
        yield "import adds less than 5 % to `import ccxt`", f"{100 * (adds - 1):.1f} %", adds < 1.05
    yield from _found_of_pauses(_dig(results, "cost") or {})
    idle = _dig(results, "cost", "idle", "percent")
    if idle is not None:
        yield "an idle stream takes less than 0.1 % of a core", f"{idle:.3f} %", idle < 0.1
    aim = "from the first tenth to the last"  # by then, what is kept has filled
    for kind in ("status", "brackets"):
        memory = _dig(results, "growth", "pushes", kind, "memory")
        if memory:
            ratio = memory[-1] / memory[1]
            yield f"memory is flat ({kind}): within 2 % {aim}", f"{ratio:.3f} times", ratio <= 1.02
    yield from _found_of_loops(_dig(results, "loop_held", "events") or {})
    for kind, adds in (_dig(results, "orders", "adds") or {}).items():
        *_, found = adds.values()  # with the guard on
        aim = f"the order guard adds less than 30 µs to an order: {kind}"
        yield aim, f"{found['median']:.1f} µs", found["median"] < 30


def _found_of_throughput(subjects: Results) -> Iterable[tuple[str, str, bool]]:
    for kind, name in (("status", "status"), ("brackets", "8 brackets")):
        ours, floor, sdk = (
            _dig(subjects, each, kind, "cpu", "median") for each in ("contractinfo", "floor", "official_sdk")
        )
        if ours and floor:
            yield f"throughput, {name}: within 2.0 times the floor", f"{ours / floor:.1f} times", ours / floor <= 2
        if ours and sdk:
            aim = f"throughput, {name}: at or below the official SDK, which keeps no markets"
            yield aim, f"{ours / sdk:.2f} times", ours <= sdk


def _found_of_latency(rates: Results) -> Iterable[tuple[str, str, bool]]:
    for rate, each in rates.items():
        ours, floor, before = (_dig(each, "subjects", name) for name in ("contractinfo", "floor", "before"))
        if ours and floor:
            ratio = ours["callback"]["p99"]["median"] / floor["callback"]["p99"]["median"]
            aim = f"latency at {rate} a second, 99th percentile: within 3 times the floor's"
            yield aim, f"{ratio:.1f} times", ratio <= 3
        for to, limit in (("market", 0.6), ("callback", 0.75)) if ours and before else ():
            ratio = ours[to]["median"]["median"] / before[to]["median"]["median"]
            aim = f"latency at {rate} a second to the {to}, median: within {limit} times that of before"
            yield aim, f"{ratio:.2f} times", ratio <= limit


def _found_of_pauses(cost: Results) -> Iterable[tuple[str, str, bool]]:
    found = _dig(cost, "resync_ms", "median")
    if found:
        yield "a comparison with REST that finds nothing takes at most 3 ms", f"{found:.2f} ms", found <= 3
    for event, each in (_dig(cost, "waits") or {}).items():
        if event in ("resync", "listing burst"):
            aim = f"a {event} keeps another thread waiting for at most 5 ms (median of the longest waits)"
            yield aim, f"{each['median']:.1f} ms", each["median"] <= 5


def _found_of_loops(events: Results) -> Iterable[tuple[str, str, bool]]:
    """The aim is the plugin's own part: beyond what an idle loop shows, and for a reload, beyond what ccxt does."""
    others = {event: each for event, each in events.items() if event not in (NOTHING, PLAIN, *RELOADS)}
    if others:
        long = [one for each in others.values() for one in each["long"] if one["cause"] in (OWN, LOCK, THREADS)]
        longest = f", at worst {max(map(_late, long)):.0f} ms" if long else ""
        yield "contractinfo never holds a loop for more than 50 ms", f"{len(long)} times{longest}", not long
    for event in RELOADS:
        if event in events and PLAIN in events:
            more = events[event]["own"]["median"] - events[PLAIN]["own"]["median"]
            yield f"less than 50 ms of the loop's CPU beyond ccxt's: {event}", f"{more:.1f} ms", more < LONG * 1e3


# The forms


def _dig(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _spread(found: Results) -> str:
    return f"{_number(found['median'])} ({found['low']:.2f}–{found['high']:.2f})"


def _times(found: Results, base: Results | None) -> str:
    return f"{found['median'] / base['median']:.1f}×" if base and base["median"] else "–"


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _faults(found: Results) -> str:
    return ", ".join(f"{count} {name}" for name, count in found.items()) or "none"


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [names, ["---"] * len(names), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
