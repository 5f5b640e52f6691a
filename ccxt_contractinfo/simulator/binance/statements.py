"""Pure: positionRisk, account and order in the shape of each version of these endpoints, zeros included.

`contracts` are always all contracts of one market that REST knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from .account import ZERO, Account, Holding, largest_notional, margin_asset, mark_price, notional
from .contract import Contract
from .open_order import OpenOrder

Row = dict[str, object]

_USDT = "USDT"


# ---- positionRisk


def risk_v3(account: Account, contracts: Sequence[Contract], symbol: str | None) -> list[Row]:
    """/fapi/v3/positionRisk: the open positions, all or only of one symbol."""
    return [
        {
            "symbol": holding.contract.id,
            "positionSide": holding.side,
            "positionAmt": _quantity(holding),
            "entryPrice": _price(holding.position.entry_price),
            "breakEvenPrice": _price(holding.position.entry_price),
            "markPrice": _eight(holding.mark),
            "unRealizedProfit": _eight(holding.profit),
            "liquidationPrice": _short(holding.liquidation_price),
            "isolatedMargin": _short(_isolated_margin(holding)),
            "notional": _short(holding.notional),
            "marginAsset": holding.asset,
            "isolatedWallet": _short(holding.wallet or ZERO),
            **_margins(holding),
            "adl": 2,
            "bidNotional": "0",
            "askNotional": "0",
            "updateTime": holding.position.update_time,
        }
        for holding in account.holdings(contracts)
        if holding.position.amount and symbol in (None, holding.contract.id)
    ]


def risk_v2(account: Account, contracts: Sequence[Contract], symbol: str | None) -> list[Row]:
    """/fapi/v2/positionRisk: every contract or one, with a position or without."""
    return [
        {
            **_risk(holding, "maxNotionalValue", "notional"),
            "isolated": holding.is_isolated,
            "adlQuantile": 2 if holding.position.amount else 0,
        }
        for holding in account.holdings(contracts)
        if symbol in (None, holding.contract.id)
    ]


def risk_inverse(account: Account, contracts: Sequence[Contract], pair: str | None, asset: str | None) -> list[Row]:
    """/dapi/v1/positionRisk: every contract, or those of a pair or a margin asset, with a position or without."""
    return [
        # Unlike USD-M, it tells no mark price where there is no position.
        _risk(holding, "maxQty", "notionalValue") | ({} if holding.position.amount else {"markPrice": _eight(ZERO)})
        for holding in account.holdings(contracts)
        if pair in (None, holding.contract.entry["pair"]) and asset in (None, holding.asset)
    ]


def _risk(holding: Holding, limit: str, worth: str) -> Row:
    position = holding.position
    return {
        "symbol": holding.contract.id,
        "positionAmt": _quantity(holding),
        "entryPrice": _price(position.entry_price),
        "breakEvenPrice": _price(position.entry_price),
        "markPrice": _eight(holding.mark),
        "unRealizedProfit": _eight(holding.profit),
        "liquidationPrice": _short(holding.liquidation_price),
        "leverage": str(position.leverage),
        limit: _limit(holding),
        "marginType": "isolated" if holding.is_isolated else "cross",
        "isolatedMargin": _eight(_isolated_margin(holding)),
        "isAutoAddMargin": "false",
        "positionSide": holding.side,
        worth: _short(holding.notional),
        "isolatedWallet": _short(holding.wallet or ZERO),
        "updateTime": position.update_time,
    }


# ---- account


def account_v3(account: Account, contracts: Sequence[Contract]) -> Row:
    """/fapi/v3/account: only the open positions, and only fields that change with the price."""
    holdings = account.holdings(contracts)
    assets = _assets(account, holdings)
    positions: list[Row] = [
        {
            "symbol": holding.contract.id,
            "positionSide": holding.side,
            "positionAmt": _quantity(holding),
            "unrealizedProfit": _eight(holding.profit),
            "isolatedMargin": _short(_isolated_margin(holding)),
            "notional": _short(holding.notional),
            "isolatedWallet": _short(holding.wallet or ZERO),
            "initialMargin": _short(holding.initial_margin),
            "maintMargin": _short(holding.maintenance_margin),
            "updateTime": holding.position.update_time,
        }
        for holding in holdings
        if holding.position.amount
    ]
    return {**_totals(assets), "assets": assets, "positions": positions}


def account_v2(account: Account, contracts: Sequence[Contract]) -> Row:
    """/fapi/v2/account: every contract, with a position or without."""
    holdings = account.holdings(contracts)
    assets = _assets(account, holdings)
    positions = [
        {
            **_stated(holding, "maxNotional", "notional"),
            "isolatedMargin": _short(_isolated_margin(holding)),
            "bidNotional": "0",
            "askNotional": "0",
        }
        for holding in holdings
    ]
    return {
        **_RIGHTS,
        "feeBurn": True,
        "multiAssetsMargin": False,
        "tradeGroupId": -1,
        **_totals(assets),
        "assets": [{**asset, "marginAvailable": True} for asset in assets],
        "positions": positions,
    }


def account_inverse(account: Account, contracts: Sequence[Contract]) -> Row:
    """/dapi/v1/account: every contract, with a position or without."""
    holdings = account.holdings(contracts)
    positions = [_stated(holding, "maxQty", "notionalValue") for holding in holdings]
    return {"assets": _assets(account, holdings), "positions": positions, **_RIGHTS}


_RIGHTS: Row = {"feeTier": 0, "canTrade": True, "canDeposit": True, "canWithdraw": True, "updateTime": 0}


def _stated(holding: Holding, limit: str, worth: str) -> Row:
    position = holding.position
    return {
        "symbol": holding.contract.id,
        **_margins(holding),
        "unrealizedProfit": _eight(holding.profit),
        "leverage": str(position.leverage),
        "isolated": holding.is_isolated,
        "entryPrice": _price(position.entry_price),
        "breakEvenPrice": _price(position.entry_price),
        limit: _limit(holding),
        "positionSide": holding.side,
        "positionAmt": _quantity(holding),
        worth: _short(holding.notional),
        "isolatedWallet": _short(holding.wallet or ZERO),
        "updateTime": position.update_time,
    }


def _assets(account: Account, holdings: Sequence[Holding]) -> list[Row]:
    by_asset: dict[str, list[Holding]] = {}
    for holding in holdings:
        open_ones = by_asset.setdefault(margin_asset(holding.contract), [])
        if holding.position.amount:
            open_ones.append(holding)
    return [_asset(account, asset, held) for asset, held in by_asset.items()]


def _asset(account: Account, asset: str, held: Sequence[Holding]) -> Row:
    cross = [holding for holding in held if holding.wallet is None]
    cross_wallet = account.balance(asset)
    wallet = cross_wallet + sum((holding.wallet or ZERO for holding in held), ZERO)
    profit = sum((holding.profit for holding in held), ZERO)
    cross_profit = sum((holding.profit for holding in cross), ZERO)
    initial = sum((holding.initial_margin for holding in held), ZERO)
    # An isolated position is paid for by its own wallet.
    available = max(ZERO, cross_wallet + cross_profit - sum((holding.initial_margin for holding in cross), ZERO))
    return {
        "asset": asset,
        "walletBalance": _eight(wallet),
        "unrealizedProfit": _eight(profit),
        "marginBalance": _eight(wallet + profit),
        "maintMargin": _eight(sum((holding.maintenance_margin for holding in held), ZERO)),
        "initialMargin": _eight(initial),
        "positionInitialMargin": _eight(initial),
        "openOrderInitialMargin": _eight(ZERO),
        "crossWalletBalance": _eight(cross_wallet),
        "crossUnPnl": _eight(cross_profit),
        "availableBalance": _eight(available),
        # A profit that is not realised cannot be taken out.
        "maxWithdrawAmount": _eight(min(available, cross_wallet)),
        "updateTime": account.updated(asset),
    }


def _totals(assets: Sequence[Row]) -> Row:
    """The totals of an account in single-asset mode: they count USDT alone."""
    of: Row = next((asset for asset in assets if asset["asset"] == _USDT), {})
    names = ["InitialMargin", "MaintMargin", "WalletBalance", "UnrealizedProfit", "MarginBalance"]
    names += ["PositionInitialMargin", "OpenOrderInitialMargin", "CrossWalletBalance", "CrossUnPnl"]
    totals: Row = {f"total{name}": of.get(name[0].lower() + name[1:], _eight(ZERO)) for name in names}
    return totals | {name: of.get(name, _eight(ZERO)) for name in ("availableBalance", "maxWithdrawAmount")}


# ---- order


def filled_order(number: int, contract: Contract, params: Mapping[str, str], filled: Decimal, now: int) -> Row:
    """/fapi/v1/order, /dapi/v1/order: a market order that was filled at the mark price."""
    mark = mark_price(contract)
    worth = abs(notional(contract, filled, mark))
    return {
        "orderId": number,
        "symbol": contract.id,
        "status": "FILLED",
        "clientOrderId": params.get("newClientOrderId", f"simulator-{number}"),
        "price": "0",
        "avgPrice": _price(mark),
        "origQty": params["quantity"],
        "executedQty": f"{filled:f}",
        "cumQty": f"{filled:f}",
        "cumBase" if contract.inverse else "cumQuote": _eight(worth),
        "timeInForce": "GTC",
        "type": "MARKET",
        "reduceOnly": params.get("reduceOnly") == "true",
        "closePosition": False,
        "side": params["side"],
        "positionSide": params.get("positionSide", "BOTH"),
        "stopPrice": "0",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": "MARKET",
        "updateTime": now,
    }


def open_order(order: OpenOrder, status: str) -> Row:
    """/fapi/v1/openOrders, /fapi/v1/openAlgoOrders and those of COIN-M: an order that is open, or was."""
    params = order.params
    shared: Row = {
        "symbol": order.contract.id,
        "timeInForce": params.get("timeInForce", "GTC"),
        "side": params["side"],
        "positionSide": params.get("positionSide", "BOTH"),
        "reduceOnly": params.get("reduceOnly") == "true",
        "closePosition": params.get("closePosition") == "true",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "price": params.get("price", "0"),
        "updateTime": order.time,
    }
    amount = params.get("quantity", "0")
    if order.is_conditional:
        return {
            "algoId": order.number,
            "clientAlgoId": params.get("clientAlgoId", f"simulator-{order.number}"),
            "algoType": "CONDITIONAL",
            "orderType": params["type"],
            "quantity": amount,
            "algoStatus": status,
            "triggerPrice": params.get("triggerPrice", "0"),
            "createTime": order.time,
            **shared,
        }
    return {
        "orderId": order.number,
        "clientOrderId": params.get("newClientOrderId", f"simulator-{order.number}"),
        "status": status,
        "type": params["type"],
        "origType": params["type"],
        "avgPrice": "0",
        "origQty": amount,
        "executedQty": "0",
        "cumBase" if order.contract.inverse else "cumQuote": "0",
        "stopPrice": "0",
        "time": order.time,
        **shared,
    }


# ---- words


def _margins(holding: Holding) -> Row:
    return {
        "initialMargin": _short(holding.initial_margin),
        "maintMargin": _short(holding.maintenance_margin),
        "positionInitialMargin": _short(holding.initial_margin),
        "openOrderInitialMargin": "0",
    }


def _isolated_margin(holding: Holding) -> Decimal:
    return ZERO if holding.wallet is None else holding.wallet + holding.profit


def _limit(holding: Holding) -> str:
    """The notional up to which the leverage may be used, in coins for COIN-M."""
    limit = largest_notional(holding.contract, holding.position.leverage)
    return f"{limit.normalize():f}"


def _quantity(holding: Holding) -> str:
    return f"{holding.position.amount:.{holding.contract.entry['quantityPrecision']}f}"


def _eight(value: Decimal) -> str:
    """Eight decimals; a negative amount that is too small for them is zero without a sign."""
    text = f"{value:.8f}"
    return text if text.strip("-0.") else "0.00000000"


def _short(value: Decimal) -> str:
    """Eight decimals, but '0' for zero."""
    return _eight(value) if value else "0"


def _price(value: Decimal) -> str:
    """A price with as many decimals as it has, and at least one."""
    text = _eight(value).rstrip("0")
    return f"{text}0" if text.endswith(".") else text
