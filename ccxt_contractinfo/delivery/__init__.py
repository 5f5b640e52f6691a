"""Tells users what happens: by callbacks and waiting calls, each with its own backlog."""
