"""One id for everything that is done about one mention, from hearing it to what was answered.

It stands in each log line about the mention, in `show` and `explain`, and is the id of its trace. It follows from the
network and the post's id there, so every process finds the same one without asking anybody.
"""

from __future__ import annotations

from hashlib import blake2b


def correlation(network: str, external_id: str) -> str:
    """The id: 32 hex digits (16 bytes), as W3C Trace Context wants a trace id."""
    return blake2b(f"{network}\n{external_id}".encode(), digest_size=16).hexdigest()
