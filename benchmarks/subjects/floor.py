"""The floor: what each Python program on websocket-client has to do."""

from __future__ import annotations

import json

import orjson
import websocket

from .common import SUBSCRIBE, Job

DOES = "reads, decodes with orjson, hands over a dict; no reconnecting, no proof, no markets"


def main() -> None:
    """Read in a loop."""
    job = Job(DOES, ("websocket-client", "orjson"))
    connection = websocket.WebSocket(skip_utf8_validation=True)
    connection.connect(f"{job.websocket}/market/ws")  # type: ignore[no-untyped-call]
    connection.send(json.dumps(SUBSCRIBE))
    while True:
        _, data = connection.recv_data()
        push = orjson.loads(data)
        kind = push.get("e")
        if kind == "contractInfo":
            job.told(push)
        elif kind:
            job.ready()


if __name__ == "__main__":
    main()
