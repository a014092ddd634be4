"""Which hosts the console may speak to: public ones, and those that RESTAGE_NOTIFY_HOSTS names.

Otherwise whoever may enter an address could have the console ask the machines around it.
"""

import ipaddress
import socket

from django.conf import settings

from notifications.delivery import UndeliveredError

NAT64 = ipaddress.ip_network("64:ff9b::/96")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def allowed(host: str) -> bool:
    """Whether a host may be private, and spoken to without TLS."""
    return host.lower() in settings.NOTIFY_HOSTS


def check(host: str, port: int) -> str:
    """The address to connect to. Raises UndeliveredError; for good where one of the host's addresses is not public."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise UndeliveredError("The name of its host cannot be resolved.") from None
    addresses = [str(info[4][0]).partition("%")[0] for info in found]
    if not allowed(host) and not all(is_public(ipaddress.ip_address(address)) for address in addresses):
        raise UndeliveredError(
            "Its host is on a private network. RESTAGE_NOTIFY_HOSTS must name it if that is meant.", permanent=True
        )
    return addresses[0]


def is_public(address: Address) -> bool:
    """Whether an address is of the public internet, also behind what is wrapped in IPv6."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        wrapped = address.ipv4_mapped or address.sixtofour or (address.teredo and address.teredo[1])
        if wrapped:
            return is_public(wrapped)
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved
