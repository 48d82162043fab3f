# SPDX-License-Identifier: Apache-2.0
"""Visitors of every kind, in an open loop: what each saw, and how long it took from the moment it was due."""

import asyncio
import base64
import collections
import hashlib
import os
import random
import time

SIZES = [0, 100, 10_000, 100_000, 1 << 20]
WEIGHTS = [30, 40, 20, 8, 2]
# Of 1,000 requests; WebSockets are there all the time.
KINDS = {"kept": 440, "fresh": 300, "post": 180, "chunked": 76, "slow": 4}
SOCKETS = 12


class Failed(Exception):
    pass


class Load:
    def __init__(self, port, host, rate, seed=1):
        self.port, self.host, self.rate = port, host, rate
        self.random = random.Random(seed)
        self.times = collections.defaultdict(list)  # by (window, kind)
        self.failures = []
        self.frames = 0
        self.posts = []
        self.window = "begin"
        self.idle = collections.deque()
        self.running = set()
        self.ending = False

    async def run(self):
        """Until `stop`."""
        sockets = [asyncio.create_task(self.socket(n)) for n in range(SOCKETS)]
        began = time.monotonic()
        kinds, weights = list(KINDS), list(KINDS.values())
        number = 0
        while not self.ending:
            due = began + number / self.rate
            number += 1
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            kind = self.random.choices(kinds, weights)[0]
            task = asyncio.create_task(self.visit(kind, number, due))
            self.running.add(task)
            task.add_done_callback(self.running.discard)
        while self.running:
            await asyncio.sleep(0.05)
        await asyncio.gather(*sockets)

    def stop(self):
        self.ending = True

    async def visit(self, kind, number, due):
        window = self.window
        try:
            await asyncio.wait_for(self.request(kind, number), 20)
            self.times[window, kind].append(time.monotonic() - due)
        except (OSError, EOFError, Failed, asyncio.TimeoutError) as error:
            self.failures.append(f"{kind}: {type(error).__name__} {error}")

    async def connection(self, kept):
        while kept and self.idle:
            reader, writer, since = self.idle.pop()
            # As browsers do: one that has rested for long may be at its end just now.
            if not reader.at_eof() and not writer.is_closing() and time.monotonic() - since < 5:
                return reader, writer
            writer.close()
        return await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)

    async def request(self, kind, number):
        kept = kind != "fresh" and number % 4 != 0
        reader, writer = await self.connection(kept)
        data = b""
        head = f"Host: {self.host}\r\n" + ("" if kept else "Connection: close\r\n")
        if kind in ("post", "chunked"):
            data = self.random.randbytes(self.random.choices(SIZES, WEIGHTS)[0])
            identifier = f"{os.getpid()}-{number}"
            self.posts.append(identifier)
            head += f"X-Id: {identifier}\r\n"
        if kind == "post":
            message = f"POST / HTTP/1.1\r\n{head}Content-Length: {len(data)}\r\n\r\n".encode() + data
        elif kind == "chunked":
            pieces = [data[i:i + 30_000] for i in range(0, len(data), 30_000)]
            message = f"POST / HTTP/1.1\r\n{head}Transfer-Encoding: chunked\r\n\r\n".encode() + b"".join(
                b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        else:
            message = f"GET {'/slow' if kind == 'slow' else '/'} HTTP/1.1\r\n{head}\r\n".encode()
        try:
            writer.write(message)
            answer = await reader.readuntil(b"\r\n\r\n")
            status = answer.split(b" ", 2)[1]
            length = int(answer.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
            text = await reader.readexactly(length)
        except BaseException:
            writer.close()
            raise
        if status != b"200":
            writer.close()
            raise Failed(f"{status.decode()} {text[:80]}")
        if not text.endswith(hashlib.sha1(data).hexdigest().encode()):
            writer.close()
            raise Failed("another body than was sent")
        if kept and b"connection: close" not in answer.lower():
            self.idle.append((reader, writer, time.monotonic()))
            if len(self.idle) > 64:
                self.idle.popleft()[1].close()
        else:
            writer.close()

    async def socket(self, number):
        """WebSockets one after the other, each for some seconds; every frame must come back as it was."""
        while not self.ending:
            try:
                await self.talk(number)
            except (OSError, EOFError, Failed, asyncio.TimeoutError) as error:
                self.failures.append(f"socket: {type(error).__name__} {error}")
                await asyncio.sleep(0.1)

    async def talk(self, number):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            key = base64.b64encode(self.random.randbytes(16))
            writer.write(f"GET /ws HTTP/1.1\r\nHost: {self.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                         f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key.decode()}\r\n\r\n".encode())
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            wanted = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
            if b" 101 " not in head or wanted not in head:
                raise Failed(f"no upgrade: {head[:60]}")
            end = time.monotonic() + 2 + number % 4
            while time.monotonic() < end and not self.ending:
                began = time.monotonic()
                await self.frame(reader, writer, 0x81, self.random.randbytes(40))
                self.frames += 1
                self.times[self.window, "socket"].append(time.monotonic() - began)
                await asyncio.sleep(0.1)
            await self.frame(reader, writer, 0x88, b"\x03\xe8")
        finally:
            writer.close()

    async def frame(self, reader, writer, first, data):
        mask = self.random.randbytes(4)
        writer.write(bytes([first, 0x80 | len(data)]) + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))
        back = await asyncio.wait_for(reader.readexactly(2 + len(data)), 10)
        if back != bytes([first, len(data)]) + data:
            raise Failed("another frame than was sent")


def quantile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")
