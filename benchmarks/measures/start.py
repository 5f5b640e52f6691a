"""Start: what importing adds, and how long it takes until the stream is live."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from typing import Any

from benchmarks.bench import CONTRACTS, Bench
from benchmarks.processes import Process, summary


def measure(bench: Bench) -> dict[str, Any]:
    """Measure a new process each time; the first one compiles what it imports, and does not count."""
    contracts = bench.size(CONTRACTS, 20)
    bench.server.ask(do="reset", contracts=contracts)
    runs = []
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as compiled:
        environment["PYTHONPYCACHEPREFIX"] = compiled
        for run in range(1 + bench.size(max(10, bench.runs), 2)):
            bench.say(f"start {run + 1}")
            with Process(__name__, {"port": bench.port}, environment=environment) as process:
                runs.append(process.heard())
    del runs[0]
    result: dict[str, Any] = {name: summary([run[name] * 1e3 for run in runs]) for name in runs[0]}
    result["adds"] = summary([1 + run["import_this"] / run["import_ccxt"] for run in runs])
    return {"contracts": contracts, **result}


def main() -> None:
    """Import, load, start; tells how long each took (s)."""
    sys.modules["python_socks"] = None  # type: ignore[assignment]  # an extra, which websocket-client imports if it can
    job, took, last = json.loads(sys.argv[1]), {}, time.perf_counter()

    def note(name: str) -> None:
        nonlocal last
        now = time.perf_counter()
        took[name], last = now - last, now

    import ccxt

    note("import_ccxt")
    import ccxt_contractinfo as cci

    note("import_this")
    _ = cci.binanceusdm  # which imports what a synchronous exchange needs
    note("first_use")
    from benchmarks.subjects.contractinfo import pointed

    url = f"ws://127.0.0.1:{job['port']}"
    with cci.ContractInfoStream(url) as stream:
        note("nothing")
        assert stream.wait_until_live(60)
        note("alone_live")
    exchange = pointed(cci.binanceusdm(), job["port"])
    plain = pointed(ccxt.binanceusdm(), job["port"])
    plain.load_markets()
    note("nothing")
    exchange.load_markets()
    note("load_markets")
    exchange.on_contract_info(lambda update: None)
    assert exchange.contract_info_stream().wait_until_live(60)
    note("exchange_live")
    del took["nothing"]
    print(json.dumps(took), flush=True)


if __name__ == "__main__":
    main()
