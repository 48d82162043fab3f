# SPDX-License-Identifier: Apache-2.0
"""A small HTTP/1.1 service that can be replaced without losing a request: it reads PORT, keeps connections
alive, and on SIGTERM stops accepting, answers what is in flight, and leaves."""

import asyncio
import os
import signal

MESSAGE = "hello"
RELEASE = os.environ.get("KINTO_RELEASE", "0")
POST_LOG = os.environ.get("POST_LOG")
MAX_HEAD, MAX_BODY = 64 * 1024, 1024 * 1024
connections = set()
stopping = asyncio.Event()


class Connection(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.buffer = transport, b""
        connections.add(self)

    def connection_lost(self, error):
        connections.discard(self)

    def data_received(self, data):
        self.buffer += data
        while not self.transport.is_closing() and self.answer_one():
            pass

    def answer_one(self):
        """Answers the first whole request of the buffer; False when there is none yet."""
        head, end, rest = self.buffer.partition(b"\r\n\r\n")
        if not end:
            if len(self.buffer) > MAX_HEAD:
                self.respond(431, b"head too large\n", close=True)
            return False
        try:
            request, *lines = head.decode("latin-1").split("\r\n")
            method, path, version = request.split(" ")
            fields = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
            length = fields.get("content-length", "0")
            if not (length.isascii() and length.isdigit() and len(length) < 10) or "transfer-encoding" in fields:
                raise ValueError("a body needs a Content-Length")
        except ValueError:
            self.respond(400, b"bad request\n", close=True)
            return False
        if int(length) > MAX_BODY:
            self.respond(413, b"body too large\n", close=True)
            return False
        if len(rest) < int(length):
            return False
        self.buffer = rest[int(length):]
        close = stopping.is_set() or version != "HTTP/1.1" or fields.get("connection", "").lower() == "close"
        path = path.partition("?")[0]
        if path == "/healthz" and method == "GET":
            self.respond(200, b"ok\n", close)
        elif path == "/" and method in ("GET", "POST"):
            if method == "POST" and POST_LOG:
                with open(POST_LOG, "a", encoding="latin-1") as log:
                    log.write(fields.get("x-load-id", "") + "\n")
            self.respond(200, f"release={RELEASE} pid={os.getpid()} message={MESSAGE}\n".encode(), close)
        else:
            self.respond(404, b"not found\n", close)
        return True

    def respond(self, status, body, close):
        reason = {200: "OK", 400: "Bad Request", 404: "Not Found"}.get(status, "Refused")
        self.transport.write(
            f"HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
            f"{'Connection: close' + chr(13) + chr(10) if close else ''}\r\n".encode() + body)
        if close:
            self.transport.close()

    def finish(self):
        if not self.buffer:
            self.transport.close()


async def main():
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    server = await loop.create_server(
        Connection, os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8000")), backlog=1024)
    await stopping.wait()
    server.close()
    for connection in list(connections):
        connection.finish()
    while connections:
        await asyncio.sleep(0.01)


asyncio.run(main())
