"""Binance's futures."""
