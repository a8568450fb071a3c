"""Where a channel may reach: https anywhere in public, this machine if allowed, private networks only by setting (against SSRF).

The name is looked up once and the connection goes to the very address that was judged, so that a name cannot be judged by one
address and reached by another.
"""

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from notify.errors import AddressForbidden, AddressUnknown
from store.sections.notify import Notify

Address = IPv4Address | IPv6Address
LookUp = Callable[[str, int], Sequence[str]]


@dataclass(frozen=True)
class Reach:
    """What the settings allow."""

    loopback: bool = True
    http: bool = False
    networks: tuple[str, ...] = ()

    def judge(self, host: str, address: str) -> None:
        """Raises AddressForbidden for an address that a channel may not connect to."""
        found = plain(ip_address(address.split("%")[0]))
        if any(found.version == network.version and found in network for network in map(ip_network, self.networks)):
            return
        if found.is_loopback and self.loopback:
            return
        if not found.is_global or found.is_multicast or found.is_reserved:
            raise AddressForbidden(f"({host}: {'this machine' if found.is_loopback else 'a private or reserved address'})")

    def check(self, url: str) -> None:
        """Judge a URL as it is written, before any look-up: scheme, user part, an address given as numbers."""
        parts = _split(url)
        host = parts.hostname or ""
        if parts.username is not None or parts.password is not None:
            raise AddressForbidden(f"({host}: no user or password in the address; refer to a secret)")
        literal = _literal(host)
        if literal is not None:
            self.judge(host, str(literal))
        local = host == "localhost" or (literal is not None and literal.is_loopback)
        if parts.scheme == "http" and not (self.http or (self.loopback and local)):
            raise AddressForbidden(f"({host}: http without TLS)")

    def resolve(self, host: str, port: int, look_up: LookUp | None = None) -> str:
        """The address to connect to, all of the name's addresses being allowed. Raises AddressForbidden, AddressUnknown."""
        found = list((look_up or looked_up)(host, port))
        for address in found:
            self.judge(host, address)
        if not found:
            raise AddressUnknown(f"({host})")
        return found[0]


def reach_of(settings: Notify) -> Reach:
    return Reach(settings.allow_loopback, settings.allow_http, settings.allow_networks)


def plain(address: Address) -> Address:
    """An IPv4 address hidden in an IPv6 one is judged as what it is.

    >>> plain(ip_address("::ffff:10.0.0.1")), plain(ip_address("2002:7f00:1::"))
    (IPv4Address('10.0.0.1'), IPv4Address('127.0.0.1'))
    """
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        nat64 = IPv4Address(int(address) & 0xFFFFFFFF) if address in ip_network("64:ff9b::/96") else None
        return inner or nat64 or address
    return address


def looked_up(host: str, port: int) -> list[str]:
    """Every address of a name, as the system finds them; raises AddressUnknown."""
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError) as error:
        raise AddressUnknown(f"({host})") from error


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise AddressForbidden("(it is not a web address)") from error
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise AddressForbidden("(it does not begin with https:// and a name)")
    return parts


def _literal(host: str) -> Address | None:
    try:
        return plain(ip_address(host))
    except ValueError:
        return None
