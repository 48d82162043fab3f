# SPDX-License-Identifier: Apache-2.0
"""Takes orders: POST /orders, GET /orders, GET /health."""

import json
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from database import connect

VERSION = 1
local = threading.local()


def database():
    if not hasattr(local, "database"):
        local.database = connect()
    return local.database


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body are two writes, and the second is not to wait for an acknowledgement of the first.
    disable_nagle_algorithm = True

    def answer(self, status, value):
        body = json.dumps(value | {"version": VERSION}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        # The front end stands at another host name.
        self.send_header("Access-Control-Allow-Origin", "*")
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/health":
            database().execute("SELECT 1 FROM orders LIMIT 1")
            return self.answer(200, {"healthy": True})
        if self.path != "/orders":
            return self.answer(404, {"error": "there are only orders here"})
        count, handled = database().execute(
            "SELECT count(*), coalesce(sum(handled > 0), 0) FROM orders").fetchone()
        self.answer(200, {"orders": count, "handled": handled})

    def do_POST(self):
        item = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path != "/orders":
            return self.answer(404, {"error": "there are only orders here"})
        cursor = database().execute("INSERT INTO orders (item) VALUES (?)", (item[:200].decode("latin-1"),))
        self.answer(200, {"order": cursor.lastrowid})

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


# kinto sends TERM when the last request is answered.
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
print(f"takes orders, version {VERSION}", flush=True)
Server((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
