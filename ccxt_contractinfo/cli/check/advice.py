"""What a user can do about a step that failed."""

from __future__ import annotations

import re
import ssl

import ccxt

from ...errors import ProtocolViolation
from ...extras import how_to_install
from ...shown import shown_value
from ..output import error_line
from .steps import PROXY_STEPS, STREAM_STEPS

CLOCK_ADVICE = (
    "Set this machine's clock by NTP (timedatectl set-ntp true; chronyc makestep). Binance refuses signed requests "
    "whose time is more than 1 s ahead or older than recvWindow. Until the clock is right, set "
    "exchange.options['adjustForTimeDifference']."
)

_BY_STATUS = {
    451: "Binance does not serve the place that this address is in. Run this elsewhere, or use a proxy elsewhere: "
    "--wssProxy for the stream, --httpsProxy for REST.",
    403: "A firewall refuses this address or the path: Binance's own, after too many requests, or another on the way. "
    "Wait some minutes; then try without the proxy, or from another address.",
    404: "There is no such path. Look at --url: give wss://host alone, and the right path is added.",
    418: "This address is banned for a while, because it went on after HTTP 429. Stop all programs on it that ask "
    "Binance,",
    429: "Too many requests come from this address; those of all programs on it count together. Let them ask less "
    "often,",
}

_BY_STEP = {
    "dns": "Check that the name is right (--url), and whether this machine resolves others: look at its resolver, a "
    "VPN, a container without a network. If all traffic has to go through a proxy, give it: --wssProxy, or "
    "--wsSocksProxy with socks5h, which resolves the name itself.",
    "tcp": "Nothing listens at that address and port, or a firewall drops what is sent there. Look at --url. If all "
    "traffic has to go through a proxy, give it: --wssProxy.",
    "tls": "What answers there speaks no TLS. Look at --url: ws:// is for plain ports. A proxy or a login page of this "
    "network may answer in place of Binance.",
    "handshake": "Something answers, but not as Binance's WebSocket does. Look at --url and at proxies. If they are "
    "right, try again in some minutes: Binance may have trouble.",
    "canary": "The connection is open, but nothing is delivered on it. Look at the path: Binance's market streams need "
    "/market/ws (--url wss://host adds it); /ws is accepted, but stays silent. A slow line may need a longer "
    "--timeout.",
    "rest": "The stream and REST are different hosts with different proxies: give --httpsProxy (or --socksProxy) for "
    "REST. If REST answers with an error, try again in some minutes.",
    "key": "Check the key and the secret. In Binance's API management, check the key's permissions (reading, futures) "
    "and the addresses that it is restricted to. The testnet and production have different keys.",
}


_REST_NAME_ADVICE = (
    "Look whether this machine resolves names: its resolver, a VPN, a container without a network. If all traffic has "
    "to go through a proxy, give it: --httpsProxy, or --socksProxy with socks5h, which resolves the name itself."
)

_NO_SUCH_NAME = re.compile("NameResolutionError|getaddrinfo|[Nn]ame or service not known|name resolution")


def advice(step: str, error: BaseException, proxy: str = "") -> str:
    """What a user can do about a step that failed.

    :param proxy: the setting of the exchange that names the proxy of the step, or empty
    """
    cause, text = error.__cause__, in_words(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _certificate_advice(cause)
    status = getattr(error, "status", None) or _status(text)
    if proxy and status == 407:
        return f"The proxy of --{proxy} wants a user and a password: http://user:password@host:port."
    if proxy and (step in PROXY_STEPS or "Tunnel connection failed" in text):
        return _proxy_advice(step, proxy)
    if status in (418, 429):
        wait = getattr(error, "retry_after", None)
        return f"{_BY_STATUS[status]} and wait {'some minutes' if wait is None else f'{wait:g} s (Retry-After)'}."
    if isinstance(error, ccxt.RestrictedLocation):
        status = 451
    if isinstance(error, ccxt.InvalidNonce):
        return CLOCK_ADVICE
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if step == "rest" and "CERTIFICATE_VERIFY_FAILED" in text:
        return "The certificate of REST is not trusted. " + _UNKNOWN_AUTHORITY
    if proxy == "socksProxy" and isinstance(error, ccxt.NotSupported):
        return f"A SOCKS proxy for REST needs PySocks: {how_to_install('socks', 'PySocks')}"
    if step == "rest" and proxy:
        return f"{_proxy_advice(step, proxy)} If REST itself answers with an error, try again in some minutes."
    if step == "rest" and _NO_SUCH_NAME.search(text):
        return _REST_NAME_ADVICE
    if step in ("tls", "handshake"):
        answers = f" What answers may also be the proxy of --{proxy}." if proxy else ""
        return f"{_answer_advice(step, error)}{answers}"
    return _BY_STEP[step]


def _answer_advice(step: str, error: BaseException) -> str:
    if isinstance(error, ccxt.RequestTimeout):
        return "Something accepts connections there, but says nothing: a firewall, or another server. Look at --url."
    if step == "handshake" and isinstance(error, ProtocolViolation):
        return "What answers there is no WebSocket server. Look at --url, and at proxies."
    return _BY_STEP[step]


def _proxy_advice(step: str, proxy: str) -> str:
    return (
        f"{'REST' if step not in STREAM_STEPS else 'The stream'} goes through --{proxy}. Look at that proxy: whether "
        "it runs, its address, its kind (http://, socks5://, socks5h://), its user and password, and whether it may "
        "connect to that host and port."
    )


_UNKNOWN_AUTHORITY = (
    "If a proxy or a virus scanner looks into TLS, trust its authority: the stream takes a PEM file from "
    "exchange.verify, REST takes one from REQUESTS_CA_BUNDLE if exchange.requests_trust_env is True. If none does, "
    "somebody else answers in place of Binance: look at --url, DNS and proxies."
)


def _certificate_advice(cause: ssl.SSLCertVerificationError) -> str:
    message = cause.verify_message or ""
    if "expired" in message or "not yet valid" in message:
        return "The certificate is not valid at this time: look at the date of this machine first, then at --url."
    if "mismatch" in message.lower():
        return "The certificate is for another host: look at --url, DNS and proxies."
    return f"The authority of the certificate is not known here ({message}). {_UNKNOWN_AUTHORITY}"


def in_words(error: BaseException) -> str:
    """The error of a step as one line."""
    return error_line(error) if isinstance(error, Exception) else shown_value(error)


def _status(text: str) -> int | None:
    """The HTTP status in the text of one of ccxt's errors. They have it nowhere else."""
    found = re.search(r" (4\d\d|5\d\d) ", text)
    return int(found[1]) if found else None
