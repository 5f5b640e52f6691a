"""Many bots, one reader: what a hub hears is published to a Redis Stream, and bots read it from there."""
