"""The tests, one file for each module; the network ones talk to the local simulator through real sockets."""
