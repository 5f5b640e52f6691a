"""Pure: the entries of exchangeInfo, in the shape that Binance gives them."""

from __future__ import annotations

import math
from random import Random
from typing import Any

from .catalogue import COMMODITIES, MAJORS, TRADFI

Entry = dict[str, Any]


def contract_entry(contract_id: str, base: str, quote: str, inverse: bool, price: float, rng: Random) -> Entry:
    """The exchangeInfo entry of a contract, but for its type, status and dates, whose places are kept."""
    decimals = max(0, 4 - math.floor(math.log10(price)))
    lots = 0 if inverse else max(0, min(3, math.floor(math.log10(price)) + 1))
    tick, step = f"{10**-decimals:.{decimals}f}", f"{10**-lots:.{lots}f}"
    largest, market_largest = ("1000000", "60000") if inverse else (str(rng.choice((1000, 500000, 10000000))), "500")
    band = rng.choice(((0.95, 1.05), (0.85, 1.15), (0.9, 1.1)))
    orders = ("LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET")
    highest = f"{price * 50:.{decimals}f}"
    kind, subkind = "COIN", rng.choice(("Layer-1", "DeFi", "Meme", "AI", "Infrastructure"))
    if base in TRADFI:
        kind, subkind = "COMMODITY" if base in COMMODITIES else "EQUITY", "TradFi"
    entry: Entry = {
        "symbol": contract_id,
        "pair": f"{base}{quote}",
        "contractType": "",
        "deliveryDate": 0,
        "onboardDate": 0,
        "contractStatus" if inverse else "status": "",
    }
    if inverse:
        entry["contractSize"] = 100 if base == "BTC" else 10
    entry |= {
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": base,
        "quoteAsset": quote,
        "marginAsset": base if inverse else quote,
        "pricePrecision": decimals,
        "quantityPrecision": lots,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": kind,
        "underlyingSubType": [subkind],
        "triggerProtect": "0.0500" if base in ("BTC", "ETH") else "0.1500",
        "liquidationFee": rng.choice(("0.012500", "0.015000", "0.010000")),
        "marketTakeBound": rng.choice(("0.05", "0.10", "0.15")),
        "maxMoveOrderLimit": 10000,
    }
    if inverse:
        entry["equalQtyPrecision"] = 4
    entry |= {
        "filters": [
            {"minPrice": tick, "maxPrice": highest, "filterType": "PRICE_FILTER", "tickSize": tick},
            {"stepSize": step, "filterType": "LOT_SIZE", "maxQty": largest, "minQty": step},
            {"stepSize": step, "filterType": "MARKET_LOT_SIZE", "maxQty": market_largest, "minQty": step},
            {"limit": 200, "filterType": "MAX_NUM_ORDERS"},
            {"limit": 20 if inverse else 10, "filterType": "MAX_NUM_ALGO_ORDERS"},
            *([] if inverse else [{"notional": "100" if base == "BTC" else "5", "filterType": "MIN_NOTIONAL"}]),
            {
                "multiplierDown": f"{band[0]:.4f}",
                "multiplierUp": f"{band[1]:.4f}",
                "multiplierDecimal": "4",
                "filterType": "PERCENT_PRICE",
            },
            {"positionControlSide": "NONE", "filterType": "POSITION_RISK_CONTROL"},
        ],
        "orderTypes": list(orders),
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"] if inverse else ["GTC", "IOC", "FOK", "GTX", "GTD", "RPI"],
        "permissionSets": ["GRID", "COPY", "DCA", "PSB"],
    }
    return entry


def spot_pairs() -> list[tuple[str, str]]:
    """Base and quote of the spot pairs; most share their id with a perpetual."""
    bases = [base for base in MAJORS if not base.startswith("1000")]
    return (
        [(base, "USDT") for base in bases[:44]]
        + [(base, "USDC") for base in bases[:8]]
        + [(base, "BTC") for base in bases[1:9]]
    )


def spot_entry(base: str, quote: str, seed: int) -> Entry:
    """The exchangeInfo entry of a spot pair."""
    rng = Random(f"{seed}:spot:{base}{quote}")
    tick, step = rng.choice((("0.01000000", "0.00001000"), ("0.00010000", "0.10000000"), ("0.00000100", "1.00000000")))
    orders = ("LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT")
    highest = "9000000.00000000"
    return {
        "symbol": base + quote,
        "status": "TRADING",
        "baseAsset": base,
        "baseAssetPrecision": 8,
        "quoteAsset": quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": list(orders),
        "icebergAllowed": True,
        "ocoAllowed": True,
        "otoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": True,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000.00000000", "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": step, "maxQty": highest, "stepSize": step},
            {"filterType": "ICEBERG_PARTS", "limit": 10},
            {"filterType": "MARKET_LOT_SIZE", "minQty": "0.00000000", "maxQty": highest, "stepSize": "0.00000000"},
            {
                "filterType": "NOTIONAL",
                "minNotional": "5.00000000",
                "applyMinToMarket": True,
                "maxNotional": highest,
                "applyMaxToMarket": False,
                "avgPriceMins": 5,
            },
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
        ],
        "permissions": [],
        "permissionSets": [["SPOT", "MARGIN"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
    }
