"""Tells from which network an address is: what one visitor has of the internet.

A visitor by IPv4 has an address, or shares it with a whole town hall; one by IPv6 has a network of
2^64 addresses, and would be another visitor with each of them.
"""

from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Final

VISITORS_BITS: Final = 64


def network_of(address: str) -> str:
    """Return the network of an address; a text that is no address is its own.

    >>> network_of("192.0.2.7"), network_of("::ffff:192.0.2.7"), network_of("2001:db8::1:2:3")
    ('192.0.2.7', '192.0.2.7', '2001:db8::/64')
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(IPv6Network((found, VISITORS_BITS), strict=False))
