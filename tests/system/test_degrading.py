"""A real daemon whose model is damaged: it starts, people get what addresses us, and it reads again by itself."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.sandbox import World
from listener.model.reading import BUNDLED

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent
SETTINGS = """
[brand]
name = "Marca"
[accounts.care]
network = "sandbox"
world = "world.db"
[[sources]]
name = "mentions"
account = "care"
query = "mentions"
every = "1s"
[daemon]
watch = "127.0.0.1:{port}"
log_format = "json"
"""
# The daemon as it is, but for where its model lies and how long it waits.
RUN = """
import sys
from datetime import timedelta
from pathlib import Path
from listener.flow import reading
from listener.model import reading as model
reading.REST, reading.LONGEST_REST, reading.GRACE = (timedelta(seconds=n) for n in (1, 2, 1))
load, bundled = model.load, Path(sys.argv.pop(1))
model.load = lambda folder=bundled, *, profile="full": load(folder, profile=profile)
import cli
cli.main()
"""


def until(what: Callable[[], bool], *, seconds: float = 40) -> None:
    ends = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < ends, "it took too long"
        time.sleep(0.2)


def asked(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def test_a_damaged_model_stops_no_daemon_and_a_mended_one_is_taken_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (tmp_path / "escucha.toml").write_text(SETTINGS.format(port=port), encoding="utf-8")
    model = tmp_path / "model"
    shutil.copytree(BUNDLED, model)
    graph = model / "full.onnx"
    graph.write_bytes(b"damaged")
    log = (tmp_path / "log").open("w+", encoding="utf-8")
    daemon = subprocess.Popen(
        [sys.executable, "-c", RUN, str(model), "run"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=log,
    )
    world = World(tmp_path / "world.db")
    try:
        until(lambda: asked(port, "/readyz")[0] == 200)
        without = json.loads(asked(port, "/readyz")[1])["without"]
        assert "full.onnx is damaged" in without[0]
        assert "escucha_model_ready 0.0" in asked(port, "/metrics")[1]
        world.person("ana")
        world.post("ana", "@marca no me funciona internet", at=datetime.now(UTC))

        def lines(action: str) -> list[dict[str, object]]:
            written = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
            return [line for line in map(json.loads, written) if line.get("action") == action]

        until(lambda: bool(lines("decided")))
        assert lines("unread")
        assert len(lines("model_down")) == 1, "said once"
        shutil.copy(BUNDLED / graph.name, graph)
        until(lambda: len(lines("decided")) == 2)
        assert lines("model_up")
        assert "escucha_model_ready 1.0" in asked(port, "/metrics")[1]
        assert "without" not in json.loads(asked(port, "/readyz")[1])
        assert lines("decided")[0]["correlation"] == lines("decided")[1]["correlation"]
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(30) == 0
        assert not list(tmp_path.glob("*.hand"))
    finally:
        daemon.kill()
        daemon.wait()
        world.close()
        log.close()
