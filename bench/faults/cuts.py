"""Cuts the network between an operation and the server: at a byte drawn by chance, and exactly at the COMMIT reply."""

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from random import Random
from urllib.parse import urlsplit

import psycopg

from bench.faults.counting import figures
from bench.faults.fields import OPERATIONS, Fields, Result, prepare
from bench.figures import Figure, at_least
from warehouse.errors import TellableError

CUTS = 100
SEED = 20262


class Proxy:
    """A loopback relay that drops both ends after so many bytes of replies, or in place of the n-th COMMIT reply."""

    def __init__(self, host: str, port: int, *, at_byte: int = 0, at_commit: int = 0) -> None:
        self._target, self._at_byte, self._at_commit = (host, port), at_byte, at_commit
        self.bytes = self.commits = 0
        self.cut = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                server = socket.create_connection(self._target)
                threading.Thread(target=self._requests, args=(client, server), daemon=True).start()
                threading.Thread(target=self._replies, args=(client, server), daemon=True).start()

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while block := client.recv(65536):
                server.sendall(block)
        _shut(server)

    def _replies(self, client: socket.socket, server: socket.socket) -> None:
        rest = b""
        with suppress(OSError):
            while block := server.recv(65536):
                rest += block
                while len(rest) >= 5 and len(rest) > (length := int.from_bytes(rest[1:5], "big")):
                    message, rest = rest[: length + 1], rest[length + 1 :]
                    if self._cuts(message):
                        self.cut = True
                        _shut(client)
                        _shut(server)
                        return
                    client.sendall(message)
        _shut(client)

    def _cuts(self, message: bytes) -> bool:
        self.bytes += len(message)
        committed = message.startswith(b"C") and message[5:] == b"COMMIT\0"
        self.commits += committed
        return bool((self._at_byte and self.bytes >= self._at_byte) or (committed and self.commits == self._at_commit))


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


@contextmanager
def relayed(fields: Fields, name: str, **cut: int) -> Iterator[tuple[str, Proxy]]:
    """The database's URL through a proxy."""
    parts = urlsplit(fields.url(name))
    proxy = Proxy(parts.hostname or "127.0.0.1", parts.port or 5432, **cut)
    address = f"{parts.username}:{parts.password}@127.0.0.1:{proxy.port}"
    try:
        yield parts._replace(netloc=address, query="sslmode=disable").geturl(), proxy
    finally:
        proxy.close()


def measure(fields: Fields) -> Iterator[Figure]:
    dice = Random(SEED)
    anywhere: list[Result] = []
    at_commit: list[Result] = []
    turns = -(-CUTS // len(OPERATIONS))
    for operation in OPERATIONS:
        with fields.copy("fault_ready") as ready:
            with fields.house(ready) as house:
                prepare(house, operation)
            due = fields.unbroken(ready, operation)
            whole = _whole(fields, ready, operation)
            for turn in range(turns):
                anywhere += _cut(fields, ready, operation, due, at_byte=dice.randint(1, whole.bytes))
                at_commit += _cut(fields, ready, operation, due, at_commit=turn % whole.commits + 1)
        print(f"{operation}: cut {len(anywhere)} + {len(at_commit)} times so far", file=sys.stderr, flush=True)
    yield at_least("kill_cuts_at_random_bytes", len(anywhere), CUTS, baseline=f"seed {SEED}", unit="rounds")
    yield from figures("random_cut", anywhere)
    yield at_least("kill_cuts_at_commit_reply", len(at_commit), CUTS, baseline="every COMMIT in turn", unit="rounds")
    yield from figures("commit_cut", at_commit)


def _whole(fields: Fields, ready: str, operation: str) -> Proxy:
    """What an unbroken operation sends."""
    with fields.copy("fault_now", ready) as name, relayed(fields, name) as (url, proxy):
        with fields.house(name, url=url) as house:
            OPERATIONS[operation](house, 1)
        return proxy


def _cut(
    fields: Fields, ready: str, operation: str, due: tuple[list[object], list[object]], **where: int
) -> Iterator[Result]:
    with fields.copy("fault_now", ready) as name:
        with relayed(fields, name, **where) as (url, proxy):
            with suppress(TellableError, psycopg.Error), fields.house(name, url=url) as house:
                OPERATIONS[operation](house, 1)
            was_cut = proxy.cut
        result = fields.again(name, operation, due)
    if was_cut:
        yield result
