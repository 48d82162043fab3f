#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A service for the soak of swaps: quick and slow answers, bodies with their checksum, WebSockets that echo.

PORT and HOST say where it listens, POST_LOG where it notes the id of each POST."""

import asyncio
import base64
import hashlib
import os
import signal

RELEASE = os.environ.get("KINTO_RELEASE", "0").encode()
LOG = os.open(os.environ["POST_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
stopping = asyncio.Event()
busy = set()


async def body(reader, fields):
    if fields.get(b"transfer-encoding") == b"chunked":
        data = bytearray()
        while size := int(await reader.readline(), 16):
            data += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readexactly(2)
        return data
    return await reader.readexactly(int(fields.get(b"content-length", 0)))


async def echo(reader, writer, fields):
    key = fields[b"sec-websocket-key"] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(key).digest())
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
    while True:
        first, second = await reader.readexactly(2)
        size = second & 0x7F
        mask = await reader.readexactly(4)
        data = bytes(b ^ mask[i % 4] for i, b in enumerate(await reader.readexactly(size)))
        writer.write(bytes([first, size]) + data)
        await writer.drain()
        if first & 0x0F == 8:
            return


async def serve(reader, writer):
    task = asyncio.current_task()
    try:
        while not stopping.is_set():
            head = await reader.readuntil(b"\r\n\r\n")
            busy.add(task)
            lines = head[:-4].split(b"\r\n")
            method, path, _ = lines[0].split(b" ")
            fields = {name.strip().lower(): value.strip()
                      for name, value in (line.split(b":", 1) for line in lines[1:])}
            if path == b"/ws":
                await echo(reader, writer, fields)
                return
            data = await body(reader, fields)
            if path == b"/slow":
                await asyncio.sleep(2)
            if method == b"POST":
                os.write(LOG, fields[b"x-id"] + b"\n")
            text = b"release=" + RELEASE + b" sum=" + hashlib.sha1(data).hexdigest().encode()
            close = b"Connection: close\r\n" if stopping.is_set() else b""
            writer.write(b"HTTP/1.1 200 OK\r\n" + close + b"Content-Length: %d\r\n\r\n" % len(text) + text)
            await writer.drain()
            busy.discard(task)
    except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
        pass
    finally:
        busy.discard(task)
        writer.close()


async def main():
    server = await asyncio.start_server(serve, os.environ["HOST"], int(os.environ["PORT"]), limit=1 << 21, backlog=512)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await stopping.wait()
    server.close()
    while busy:
        await asyncio.sleep(0.02)


asyncio.run(main())
