"""The command ``check``: follows the way of the stream and of REST step by step, and says where it fails.

It checks what is used: the package's own code works out the endpoint, connects to it and reads from it.
"""
