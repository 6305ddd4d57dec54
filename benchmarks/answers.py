"""How fast everybody of an incident is answered, and whether kill -9 changes who gets what.

    python -m benchmarks.answers --people 4000            drafts, then sends with nobody killed
    python -m benchmarks.answers --people 4000 --kill     kills the sender twice, once while two send

Against the Mastodon server of the tests in a process of its own, which forgets idempotency keys; what is counted stands
in that server's own record. Both share the machine's cores with the sender.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.system.complainers import complainers


def main() -> None:
    """Prints what it took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.answers")
    parser.add_argument("--people", type=int, default=4000)
    parser.add_argument("--kill", action="store_true", help="kill -9, twice")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, complainers(Path(folder), wanted.people) as people:
        began = time.perf_counter()
        if wanted.kill:
            people.killed_twice(wanted.people)
        else:
            people.run()
            print(f"drafted, approved and placed in {time.perf_counter() - began:.1f} s")
            began = time.perf_counter()
            assert people.sender().wait() == 0
        took = time.perf_counter() - began
        print(f"{wanted.people} answered in {took:.1f} s, {wanted.people / took:.0f} a second")
        print(f"people by how many answers they got, on the server: {dict(Counter(people.said().values()))}")


if __name__ == "__main__":
    main()
