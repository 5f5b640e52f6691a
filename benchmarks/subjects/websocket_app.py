"""What is usually written by hand: websocket-client's WebSocketApp and `json.loads`."""

from __future__ import annotations

import json
from typing import Any

import websocket

from .common import SUBSCRIBE, Job

DOES = "reads, checks UTF-8, decodes with json, hands over a dict; no markets"


def main() -> None:
    """Run the app for ever."""
    job = Job(DOES, ("websocket-client",))

    def on_message(_: Any, message: str) -> None:
        push = json.loads(message)
        kind = push.get("e")
        if kind == "contractInfo":
            job.told(push)
        elif kind:
            job.ready()

    app = websocket.WebSocketApp(
        f"{job.websocket}/market/ws", on_open=lambda app: app.send(json.dumps(SUBSCRIBE)), on_message=on_message
    )
    app.run_forever()


if __name__ == "__main__":
    main()
