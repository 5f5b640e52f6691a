"""From the socket, on threads: connect, prove, receive, reconnect, and compare with REST."""
