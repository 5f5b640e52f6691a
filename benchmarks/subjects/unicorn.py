"""unicorn-binance-websocket-api, which is compiled."""

from __future__ import annotations

import time
from importlib import import_module
from typing import Any

from benchmarks.frames import STREAM

from .common import Job, skip

DOES = "reads (websockets), decodes with orjson, hands over a dict; no markets. It asks for !contractInfo@arr, which "
DOES += "Binance does not have: the local server takes it for !contractInfo"


def main() -> None:
    """Follow the stream, until the job is done."""
    try:
        unicorn = import_module("unicorn_binance_websocket_api")
    except ImportError as error:
        skip(error)
    job = Job(DOES, ("unicorn-binance-websocket-api", "websockets"))

    def handle(push: Any) -> None:
        push = push.get("data", push)
        if push.get("e") == "contractInfo":
            job.told(push)

    manager = unicorn.BinanceWebSocketApiManager(
        exchange="binance.com-futures",
        websocket_base_uri=f"{job.websocket}/",
        output_default="dict",
        warn_on_update=False,
        disable_colorama=True,
    )
    stream = manager.create_stream(["arr"], [STREAM], process_stream_data=handle)
    manager.wait_till_stream_has_started(stream)
    job.ready()
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main()
