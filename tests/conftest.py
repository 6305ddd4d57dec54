"""What holds for every test."""

from __future__ import annotations

import os

from hypothesis import settings

# A slow machine is no failure, and CI plays the same examples each time: what it finds must be found again.
settings.register_profile("escucha", deadline=None, derandomize=bool(os.environ.get("CI")), print_blob=True)
settings.load_profile("escucha")
