"""What letters are sent to in tests: a real HTTP server and a real mail server on this machine."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller


@dataclass
class HttpSink:
    """`answers`: what it says to the next requests, then 200. `got`: (path, headers, body) of each."""

    port: int = 0
    answers: list[int] = field(default_factory=list)
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    hang: threading.Event | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?a=1"


@contextmanager
def http() -> Iterator[HttpSink]:
    sink = HttpSink()

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sink.got.append(
                (self.path, dict(self.headers.items()), self.rfile.read(int(self.headers["Content-Length"])))
            )
            if sink.hang:
                sink.hang.wait(20)
            status = sink.answers.pop(0) if sink.answers else 200
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", f"http://127.0.0.1:{sink.port}/elsewhere")
            self.end_headers()
            with suppress(BrokenPipeError):
                self.wfile.write(b"ok")

        def do_GET(self) -> None:
            sink.asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.daemon_threads = True
    sink.port = server.server_port
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class MailSink:
    port: int = 0
    refuse: bool = False
    got: list[tuple[list[str], str]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"mailto://127.0.0.1:{self.port}?from=restage@example.org"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.refuse:
            return "451 Try again later"
        self.got.append((envelope.rcpt_tos, envelope.content.decode()))
        return "250 OK"


@contextmanager
def mail() -> Iterator[MailSink]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        sink = MailSink(probe.getsockname()[1])
    controller = Controller(sink, hostname="127.0.0.1", port=sink.port)
    controller.start()
    try:
        yield sink
    finally:
        controller.stop()
