# SPDX-License-Identifier: Apache-2.0
"""What there is to tell each night."""

from database import connect

count, handled = connect().execute("SELECT count(*), coalesce(sum(handled > 0), 0) FROM orders").fetchone()
print(f"{count} orders, {count - handled} of them waiting")
