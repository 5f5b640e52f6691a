"""What a user can do about a step on the way to a hub that failed."""

from __future__ import annotations

import re
import ssl

import ccxt

from .advice import in_words

_REFUSED = re.compile("the user or the password of the URL is refused")
_NOT_ALLOWED = re.compile("the user of the URL may not")

_BY_STEP = {
    "sentinel": "No sentinel says which Redis is the master. Look at --url: its addresses, which are those of the "
    "sentinels, and the name of the service, which is the one in the sentinels' configuration. Then look whether they "
    "run.",
    "dns": "Check that the name is right (--url), and whether this machine resolves others: look at its resolver, a "
    "VPN, a container without a network.",
    "tcp": "Nothing listens at that address and port, or a firewall drops what is sent there. Look at --url, whether "
    "Redis runs, and at bind and port in its configuration.",
    "tls": "What answers there speaks no TLS, or wants a certificate from this machine. Look at --url: redis:// is for "
    "ports without TLS; ?ssl_certfile= and ?ssl_keyfile= name a certificate.",
    "redis": "What answers there does not answer as Redis does, or not in time. Look at --url, and whether Redis "
    "stands still or loads its data.",
    "snapshot": "No hub has published here, or under another prefix (--prefix), or in another database of Redis. Start "
    "one: ccxt-contractinfo hub redis://host:6379/0.",
    "stream": "Redis was restored, or has dropped what a hub has written. A hub that runs puts that right within "
    "seconds: try again. If it stays so, look at maxmemory and maxmemory-policy of Redis, and at --keep of the hub.",
    "beat": "No hub runs, or none hears Binance. Look at what the hubs say, and run ccxt-contractinfo check without "
    "--url on their machines. A hub with a longer canary_timeout needs a longer --timeout.",
}

NOT_FRESH = (
    "The hub hears Binance, but does not know yet whether its markets are right: it compares them with REST. If this "
    "stays so, look at what the hub says, and run ccxt-contractinfo check without --url on its machine."
)


def hub_advice(step: str, error: BaseException) -> str:
    """What a user can do about a step on the way to a hub that failed."""
    text = in_words(error)
    if _REFUSED.search(text):
        return (
            "Look at the user and the password in --url: redis://user:password@host:6379/0, or redis://:password@host "
            "without a user. In them, a / has to be written as %2F, a @ as %40 and a # as %23."
        )
    if _NOT_ALLOWED.search(text):
        return (
            "Give that user of Redis's ACL the commands that a bot needs, for all keys that begin with the prefix: "
            "+time +xread +xrange +hgetall +info +select ~contractinfo:*"
        )
    if isinstance(error.__cause__, ssl.SSLCertVerificationError):
        return (
            f"The certificate of Redis is not trusted ({error.__cause__.verify_message}). If its authority is your "
            "own, name its file: rediss://host:6379/0?ssl_ca_certs=/path/ca.pem. If the certificate is for another "
            "name, connect to that name."
        )
    if step == "redis" and isinstance(error, ccxt.NotSupported):
        return "Update Redis, or let hub and bots use another one."
    if step == "snapshot" and isinstance(error, ccxt.NotSupported):
        return "Start the hub with --exchange binance, which has all contracts, or check with the --exchange it has."
    if step == "snapshot" and "cannot be read" in text:
        return "Another program, or another version of the hub, has written this. Give the hub another --prefix."
    return _BY_STEP[step]
