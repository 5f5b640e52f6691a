"""The state of all contracts: what is newer replaces what is older."""
