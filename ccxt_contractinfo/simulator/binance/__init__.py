"""What Binance's futures answer and push."""
