# SPDX-License-Identifier: Apache-2.0
"""Handles orders, each once, also while a worker of the next release runs beside it."""

import signal
import threading

from database import connect

stopping = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stopping.set())
database = connect()
print("waits for orders", flush=True)
while not stopping.is_set():
    done = database.execute(
        "UPDATE orders SET handled = handled + 1 WHERE id IN (SELECT id FROM orders WHERE handled = 0 LIMIT 100)"
    ).rowcount
    if done == 0:
        stopping.wait(0.2)
