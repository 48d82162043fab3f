# SPDX-License-Identifier: Apache-2.0
"""The orders, in a file that all releases share. Run by itself it makes the tables: the release command does so, before
anything of the new release starts, while the old one still uses them."""

import os
import sqlite3


def connect():
    database = sqlite3.connect(os.environ["SHOP_DATABASE"], timeout=60, isolation_level=None)
    database.execute("PRAGMA synchronous = NORMAL")
    return database


if __name__ == "__main__":
    database = connect()
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, item TEXT NOT NULL, "
                     "handled INTEGER NOT NULL DEFAULT 0)")
    print("the tables are there")
