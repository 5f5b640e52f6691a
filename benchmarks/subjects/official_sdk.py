"""Binance's own SDK for USDⓈ-M futures."""

from __future__ import annotations

import asyncio
from importlib import import_module

from .common import Job, skip

DOES = "reads (aiohttp), decodes with json, encodes, decodes again into a pydantic model, hands that over; no markets"
PACKAGE = "binance-sdk-derivatives-trading-usds-futures"


async def follow() -> None:
    """Follow both streams, until the job is done."""
    try:
        sdk = import_module("binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures")
    except ImportError as error:
        skip(error)
    job = Job(DOES, (PACKAGE, "pydantic", "aiohttp"))
    configuration = sdk.ConfigurationWebSocketStreams(stream_url=f"{job.websocket}/stream")
    client = sdk.DerivativesTradingUsdsFutures(config_ws_streams=configuration)
    connection = await client.websocket_streams.create_connection()
    contracts = await connection.contract_info_stream()
    contracts.on("message", job.told)
    canary = await connection.mark_price_stream("btcusdt")
    canary.on("message", lambda _: job.ready())
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(follow())
