"""Telling users: callbacks and waiting calls, each with a backlog of its own."""
