"""In what circumstances something is done: through which door, from where, on whose behalf. Never by whom: the person
is an argument of every act."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from ipaddress import IPv6Address, IPv6Network, ip_address
from uuid import uuid4

PAGE, API, COMMAND, WORKER = "page", "api", "command", "worker"
SCHEDULE, TRIGGER, UPKEEP = "schedule", "trigger", "upkeep"
WAREHOUSE = "warehouse"  # its own record of what was done to it
WAYS = (PAGE, API, COMMAND, WORKER, SCHEDULE, TRIGGER, UPKEEP, WAREHOUSE)


@dataclass(frozen=True)
class Circumstances:
    """`how`: one of WAYS. `on_behalf_of`: the name of the person for whom Restage itself acts ("": for nobody).
    `address`: of the network, where there is one. `request_id`: what was done together has the same. `token`: the name
    of the token by which a program acts for its owner ("": none)."""

    how: str = UPKEEP
    on_behalf_of: str = ""
    address: str = ""
    request_id: str = ""
    token: str = ""

    @property
    def network(self) -> str:
        """The address, as far as somebody cannot change it at will: of IPv6, each line has 2^64 of its own."""
        try:
            found = ip_address(self.address)
        except ValueError:
            return self.address
        if isinstance(found, IPv6Address):
            return str(found.ipv4_mapped or IPv6Network((int(found), 64), strict=False))
        return str(found)


_now: ContextVar[Circumstances | None] = ContextVar("circumstances", default=None)


def current() -> Circumstances:
    """Those of the block that is being run; outside of any, Restage's own upkeep."""
    return _now.get() or Circumstances()


@contextmanager
def of(how: str, *, on_behalf_of: str = "", address: str = "", request_id: str = "") -> Iterator[Circumstances]:
    """What is recorded in the block is done in these circumstances."""
    made = Circumstances(how, on_behalf_of, address, request_id or uuid4().hex)
    token = _now.set(made)
    try:
        yield made
    finally:
        _now.reset(token)


def name_token(name: str) -> None:
    """Until the end of the block that is being run: it is a program that acts, by the token of this name."""
    _now.set(replace(current(), token=name))
