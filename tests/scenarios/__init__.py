"""The whole package against the simulator."""
