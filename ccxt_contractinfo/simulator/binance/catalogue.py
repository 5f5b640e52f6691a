"""Names and prices of the simulated markets. Data, and nothing else."""

from __future__ import annotations

RECORDED = {
    "IOTA": 1569398400000,
    "BIGTIME": 1697121000000,
    "LOOM": 1697034600000,
    "BOND": 1697380200000,
}
"""Bases that published or recorded pushes are about, with the onboard times, ms, that those pushes carry."""

PRICES = {
    "BTC": 91000.0, "ETH": 3100.0, "BNB": 880.0, "SOL": 140.0, "XRP": 2.1, "DOGE": 0.15, "ADA": 0.45, "LTC": 90.0,
    "BCH": 520.0, "LINK": 13.0, "AVAX": 14.0, "DOT": 2.4, "TRX": 0.28, "XAU": 4100.0, "XAG": 50.0,
}  # fmt: skip
"""Rough prices of those bases where everybody would notice a wrong one."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


MAJORS = _words("""
    BTC ETH SOL XRP BNB DOGE ADA LTC BCH LINK AVAX DOT TRX IOTA BIGTIME LOOM BOND ETC XLM UNI ATOM FIL NEAR APT ARB OP
    SUI TIA INJ AAVE MKR ALGO ICP HBAR VET EOS XTZ THETA AXS SAND MANA GALA CHZ ENJ ZEC DASH NEO ONT QTUM ZIL KAVA
    COMP SNX CRV SUSHI YFI BAT ZRX KNC RUNE EGLD FLOW GRT LDO DYDX GMX STX IMX FET ENS APE BLUR PENDLE WLD SEI ORDI
    JUP PYTH STRK WIF ENA TON NOT ZRO EIGEN POL RENDER ONDO TAO JTO MANTA DYM ALT AXL METIS PIXEL AEVO ETHFI TNSR OMNI
    SAGA 1000PEPE 1000SHIB 1000BONK 1000FLOKI 1000LUNC 1000XEC 1000SATS 1000RATS 1000CAT 1000000MOG
""")
"""Well-known bases of USD-M perpetuals; they are all TRADING."""

TRADFI = _words("""
    TSLA NVDA AAPL AMZN META MSFT GOOGL MSTR COIN HOOD PLTR INTC CRCL AMD NFLX ORCL QQQ SPY MU AVGO BABA TSM GME XAU
    XAG XPT XPD COPPER NATGAS BRENT
""")
"""Bases of contracts on shares and commodities."""

COMMODITIES = frozenset(_words("XAU XAG XPT XPD COPPER NATGAS BRENT"))

INVERSE = _words("""
    BTC ETH BNB SOL XRP ADA LINK BCH LTC DOT TRX ETC XLM UNI ATOM FIL NEAR APT ARB OP SUI ALGO ICP HBAR VET XTZ THETA
    AXS SAND MANA GALA CHZ ENJ ZEC EGLD FLOW KNC RUNE AAVE CRV SNX ZIL QTUM DASH NEO DOGE AVAX STX GRT INJ
""")
"""Bases of COIN-M perpetuals."""

LINEAR_DATED = ("BTC", "ETH")
INVERSE_DATED = ("BTC", "ETH", "BNB", "SOL", "XRP")
NON_ASCII = "币安人生"
