"""Webhook: every revision as a signed POST, in the manner of Standard Webhooks.

The body is the record in a CloudEvents 1.0 envelope (structured JSON). The signature is that of
the Standard Webhooks specification 1.0.0: HMAC-SHA256 over ``id.timestamp.body``, one per secret
that is live, so that a secret can be changed without a gap. Body and id are the same in every
attempt; the time is the attempt's.

A URL in a configuration must not become a way into the network this process stands in: the name
is resolved here, every address must be public or allowed by name, the connection goes to the
address that was looked at, and a redirect is not followed.
"""

import base64
import binascii
import hashlib
import hmac
import socket
import time
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

import urllib3

from v2x.alert import Alert, Delivery
from v2x.alerts import envelope
from v2x.errors import ConfigError, GiveUp, RetryLater

CONNECT_S, ANSWER_S = 5.0, 10.0
LONGEST_S = 3600.0
"""A receiver may put us off by this much at once, no matter what it says."""
SECRET_BYTES = range(24, 65)
_GONE, _TOO_LARGE = 410, 413

Address = IPv4Address | IPv6Address


class Webhook:
    """One URL that takes alerts.

    An answer of 2xx within ten seconds is a receipt. 410 ends it: nothing more is sent until the
    process starts anew. 413 gives the one alert up. All else is tried again, also an answer that
    says the request is bad: what is wrong may be the receiver's configuration.

    Parameters
    ----------
    url
        ``https``, or ``http`` to hosts that `allow` covers.
    secrets
        ``whsec_`` and the base64 of 24 to 64 bytes; the newest first, two while one is replaced.
    allow
        Networks (``10.1.0.0/16``) that are reached though they are not public.
    source
        The CloudEvents ``source``, such as ``v2x/<site>``.
    authorities
        File of certificates that sign the receiver's; None: those that Python trusts.
    clock
        Unix time, s: receivers refuse a signature that is not of their time.

    Raises
    ------
    ConfigError
        A URL, secret or network that cannot be one.
    """

    def __init__(
        self,
        url: str,
        secrets: Sequence[str],
        allow: Sequence[str] = (),
        *,
        source: str = "v2x",
        name: str = "webhook",
        authorities: str | None = None,
        clock: Callable[[], float] = time.time,  # noqa: TID251 - a receiver compares it with its own
    ) -> None:
        self.name = name
        self.gone = ""
        """Why it takes nothing more, once it said so."""
        parts = urlsplit(url)
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise ConfigError(f"sink {name}: url {url!r} is no http(s) address")
        if parts.username or parts.password or parts.fragment:
            raise ConfigError(f"sink {name}: url must hold no user, password or fragment")
        self._host: str = parts.hostname
        self._secure = parts.scheme == "https"
        try:
            self._port = parts.port or (443 if self._secure else 80)
            self._allow = [ip_network(network) for network in allow]
        except ValueError as e:
            raise ConfigError(f"sink {name}: {e}") from None
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._keys = [_key(name, secret) for secret in secrets]
        if not self._keys:
            raise ConfigError(f"sink {name}: no secret: its receiver could not tell who sent it")
        self._source = source
        self._authorities = authorities
        self._clock = clock
        self._pools: dict[Address, Any] = {}

    def send(self, alert: Alert) -> Delivery:
        """Deliver one revision."""
        if self.gone:
            raise GiveUp(self.gone)
        key, body = envelope.key(alert), envelope.structured(alert, self._source)
        stamp = str(int(self._clock()))
        headers = {
            "host": self._authority(),
            "content-type": "application/cloudevents+json; charset=utf-8",
            "webhook-id": key,
            "webhook-timestamp": stamp,
            "webhook-signature": " ".join(_signed(k, key, stamp, body) for k in self._keys),
        }
        address = self._address()
        try:
            answer = self._pool(address).urlopen(
                "POST", self._target, body=body, headers=headers, redirect=False, retries=False,
                preload_content=False,
            )  # fmt: skip
            said = answer.read(256) if answer.status >= 300 else b""
            answer.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as e:
            raise RetryLater(f"{self._where()} at {address}: {type(e).__name__}: {e}") from e
        if 200 <= answer.status < 300:
            return Delivery(self.name, f"{answer.status} {stamp}")
        told = f"{self._where()} answered {answer.status}: {said.decode('utf-8', 'replace')!r}"
        if answer.status == _GONE:
            self.gone = told
            raise GiveUp(told)
        if answer.status == _TOO_LARGE:
            raise GiveUp(told)
        raise RetryLater(told, after_s=_put_off(answer.headers.get("retry-after", "")))

    def close(self) -> None:
        """Close the connections."""
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()

    def _address(self) -> Address:
        """Resolve the host; every address it has must be one that may be reached."""
        try:
            addresses = resolved(self._host, self._port)
        except OSError as e:
            raise RetryLater(f"{self._where()}: the name is not known: {e}") from e
        for address in addresses:
            if not self._may(address):
                raise RetryLater(
                    f"{self._where()}: {address} is "
                    + ("not encrypted" if _public(address) else "not public")
                    + "; if that is meant, list its network in allow"
                )
        return addresses[0]

    def _may(self, address: Address) -> bool:
        """Whether it may be reached: public and encrypted, or allowed."""
        mapped = getattr(address, "ipv4_mapped", None)
        plain = mapped or address
        return (self._secure and _public(plain)) or any(plain in net for net in self._allow)

    def _pool(self, address: Address) -> Any:
        pool = self._pools.get(address)
        if pool is None:
            self.close()  # the name has moved: the old address is not asked again
            timeout = urllib3.Timeout(connect=CONNECT_S, read=ANSWER_S)
            if self._secure:
                pool = urllib3.HTTPSConnectionPool(
                    str(address),
                    self._port,
                    timeout=timeout,
                    maxsize=1,
                    ca_certs=self._authorities,
                    server_hostname=self._host,
                    assert_hostname=self._host,
                )
            else:
                pool = urllib3.HTTPConnectionPool(
                    str(address), self._port, timeout=timeout, maxsize=1
                )
            self._pools[address] = pool
        return pool

    def _authority(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return host if self._port == (443 if self._secure else 80) else f"{host}:{self._port}"

    def _where(self) -> str:
        """The address without its query, which may hold a token."""
        scheme = "https" if self._secure else "http"
        return f"{scheme}://{self._authority()}{self._target.partition('?')[0]}"


def resolved(host: str, port: int) -> list[Address]:
    """Return all addresses of a name, in the system's order of preference."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


def _public(address: Address) -> bool:
    return address.is_global and not address.is_multicast


def _key(name: str, secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith("whsec_") or len(key) not in SECRET_BYTES:
        raise ConfigError(f"sink {name}: a secret is 'whsec_' and the base64 of 24 to 64 bytes")
    return key


def _signed(key: bytes, name: str, stamp: str, body: bytes) -> str:
    digest = hmac.new(key, f"{name}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def _put_off(words: str) -> float:
    """Seconds of a Retry-After header; a date, or nonsense, says nothing to a clock of our own."""
    return min(float(words), LONGEST_S) if words.isascii() and words.isdigit() else 0.0
