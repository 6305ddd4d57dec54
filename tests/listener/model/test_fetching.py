"""Fetching from a hub: exactly the files of one commit, whatever the connection does."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from listener.errors import EscuchaError, Mistake, Outage, RateLimited, Unavailable
from listener.model import choosing
from listener.model.fetching import Hub, Listing, RemoteFile
from listener.model.pace import Pace, TooSlow
from tests.servers.hub import HubServer
from tests.servers.proxy import Proxy

NAME = "marca/sentimiento"
FILES = {
    "config.json": b'{"model_type": "bert"}',
    "tokenizer.json": b'{"version": "1.0"}',
    "tokenizer_config.json": b"{}",
    "vocab.txt": b"[PAD]\nhola\n",
    "model.safetensors": bytes(number * 7 % 251 for number in range(300_000)),
    "pytorch_model.bin": b"a pickle",
    "modeling_marca.py": b"raise SystemExit",
    "README.md": b"# hello",
}


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name in ("HF_TOKEN", "HF_ENDPOINT"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # as the tokenizer's library is kept


@pytest.fixture
def server() -> Iterator[HubServer]:
    with HubServer(token="hf_secret") as hub:
        hub.publish(NAME, FILES, licence="apache-2.0")
        yield hub


def hub_at(server: HubServer, **more: object) -> Hub:
    return Hub(endpoint=server.url, sleep=lambda _seconds: None, **more)  # type: ignore[arg-type]


def fetched(server: HubServer, folder: Path, **more: object) -> Listing:
    hub = hub_at(server, **more)
    listing = hub.look(NAME)
    hub.fetch(listing, choosing.needed(listing.names, NAME), folder)
    return listing


def test_a_branch_is_resolved_to_its_commit(server: HubServer) -> None:
    newest = server.publish(NAME, FILES | {"config.json": b"{}"})
    tagged = server.publish(NAME, FILES, branch="v1.0/stable")
    hub = hub_at(server)
    assert hub.look(NAME).commit == newest
    assert hub.look(NAME, "v1.0/stable").commit == tagged
    assert hub.look(NAME, tagged).commit == tagged


def test_only_what_is_needed_comes(server: HubServer, tmp_path: Path) -> None:
    listing = fetched(server, tmp_path)
    wanted = {"config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt", "model.safetensors"}
    assert {path.name for path in tmp_path.iterdir()} - {".lock"} == wanted
    assert all((tmp_path / name).read_bytes() == FILES[name] for name in wanted)
    assert listing.licence == "apache-2.0"
    assert not server.requests(".bin")
    assert not server.requests(".py")
    assert all(listing.commit in asked.path for asked in server.requests("/resolve/"))


def test_what_is_there_is_not_asked_for_again(server: HubServer, tmp_path: Path) -> None:
    fetched(server, tmp_path)
    before = len(server.requests("/resolve/"))
    fetched(server, tmp_path)
    assert len(server.requests("/resolve/")) == before


def test_progress_is_told_in_bytes(server: HubServer, tmp_path: Path) -> None:
    hub, heard = hub_at(server), []
    listing = hub.look(NAME)
    names = choosing.needed(listing.names, NAME)
    hub.fetch(listing, names, tmp_path, heard.append)
    assert heard == sorted(heard)
    assert heard[-1] == listing.size(names) == sum(len(FILES[name]) for name in names)


def test_a_cut_connection_goes_on_where_it_stopped(server: HubServer, tmp_path: Path) -> None:
    server.fail("cut", path="/cdn/", after=120_000)
    fetched(server, tmp_path)
    first, second = (asked.headers.get("range") for asked in server.requests("/cdn/"))
    assert (first, second) == (None, "bytes=120000-")
    assert (tmp_path / "model.safetensors").read_bytes() == FILES["model.safetensors"]


def test_another_run_goes_on_where_this_one_was_cut(server: HubServer, tmp_path: Path) -> None:
    server.fail("cut", path="/cdn/", after=100_000)
    server.fail("cut", path="/cdn/", after=0, times=5)
    with pytest.raises(Unavailable, match=r"broke over model\.safetensors of marca/sentimiento.*what has come is kept"):
        fetched(server, tmp_path)
    assert (tmp_path / "model.safetensors.part").stat().st_size == 100_000
    fetched(server, tmp_path)
    assert server.requests("/cdn/")[-1].headers["range"] == "bytes=100000-"
    assert (tmp_path / "model.safetensors").read_bytes() == FILES["model.safetensors"]


def test_a_connection_that_is_cut_often_but_brings_something_gets_there(server: HubServer, tmp_path: Path) -> None:
    server.fail("cut", path="/cdn/", after=20_000, times=14)
    fetched(server, tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    assert len(server.requests("/cdn/")) == 15


@pytest.mark.parametrize("kind", ["no range", "off by one"])
def test_a_server_that_is_bad_at_ranges(server: HubServer, tmp_path: Path, kind: str) -> None:
    (tmp_path / "model.safetensors.part").write_bytes(FILES["model.safetensors"][:5000])
    server.fail(kind, path="/cdn/")
    fetched(server, tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == FILES["model.safetensors"]


@pytest.mark.parametrize("left", [b"x" * 5000, b"x" * 300_000, b"x" * 400_000])
def test_what_another_run_left_wrong_is_fetched_anew(server: HubServer, tmp_path: Path, left: bytes) -> None:
    (tmp_path / "model.safetensors.part").write_bytes(left)
    fetched(server, tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == FILES["model.safetensors"]


@pytest.mark.parametrize("path", ["model.safetensors", "vocab.txt"])
@pytest.mark.parametrize("kind", ["wrong", "longer"])
def test_other_bytes_are_thrown_away(server: HubServer, tmp_path: Path, path: str, kind: str) -> None:
    server.fail(kind, path="/cdn/" if path.endswith("s") else path)
    with pytest.raises(Mistake, match="is not the file that the hub's list describes, and was thrown away"):
        fetched(server, tmp_path)
    assert not list(tmp_path.glob(f"{path}*"))
    fetched(server, tmp_path)


def test_a_file_changed_here_is_fetched_again(server: HubServer, tmp_path: Path) -> None:
    fetched(server, tmp_path)
    (tmp_path / "vocab.txt").write_bytes(b"[PAD]\nhole\n")
    fetched(server, tmp_path)
    assert (tmp_path / "vocab.txt").read_bytes() == FILES["vocab.txt"]


def test_a_server_in_trouble_is_asked_again(server: HubServer, tmp_path: Path) -> None:
    server.fail("503", times=2)
    server.fail("500", path="/cdn/", times=2)
    fetched(server, tmp_path)
    assert (tmp_path / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("fault", "path", "error", "said"),
    [
        (
            "503",
            "/cdn/",
            Unavailable,
            r"127\.0\.0\.1 answers 503 for model\.safetensors .*start again: what has come is",
        ),
        ("502", "/api/", Unavailable, r"127\.0\.0\.1 answers 502 for marca/sentimiento at main"),
        ("429", "/api/", RateLimited, r"wants us to wait; start again in 90 seconds"),
        ("404", "/cdn/", Mistake, r"There is no model\.safetensors of marca/sentimiento on 127\.0\.0\.1"),
        ("418", "/api/", Mistake, r"answers 418 .* check the name and HF_ENDPOINT"),
        ("nonsense", "/api/", Unavailable, r"answers nonsense about marca/sentimiento; check HF_ENDPOINT"),
        ("circle", "/cdn/", Mistake, r"in a circle; check HF_ENDPOINT\.$"),
    ],
)
def test_every_refusal_is_one_sentence(
    server: HubServer, tmp_path: Path, fault: str, path: str, error: type[EscuchaError], said: str
) -> None:
    server.fail(fault, path=path, times=99, headers={"Retry-After": "90"})
    with pytest.raises(error, match=said) as raised:
        fetched(server, tmp_path)
    assert "\n" not in str(raised.value)
    assert "signature" not in str(raised.value)


@pytest.mark.parametrize(("wait", "said"), [("9" * 4400, "in some minutes"), ("9" * 9, "in 86400 seconds")])
def test_a_wait_beyond_reason_is_not_repeated(server: HubServer, tmp_path: Path, wait: str, said: str) -> None:
    server.fail("429", path="/api/", times=99, headers={"Retry-After": wait})
    with pytest.raises(RateLimited, match=said) as raised:
        fetched(server, tmp_path)
    assert (raised.value.retry_after or 0) <= 86_400


def test_silence_ends(server: HubServer, tmp_path: Path) -> None:
    server.fail("silent", path="/cdn/", times=9)
    with pytest.raises(Unavailable, match=r"silent for too long over model\.safetensors"):
        fetched(server, tmp_path, timeout=(2.0, 0.05))


# --- next to nothing ---


def ticking() -> Callable[[], float]:
    """A clock by which a second passes whenever something is read or asked."""
    return itertools.count().__next__


def test_what_comes_byte_by_byte_is_not_waited_for(server: HubServer, tmp_path: Path) -> None:
    server.fail("drip", path="/cdn/")
    with pytest.raises(Unavailable) as raised:
        fetched(server, tmp_path, clock=ticking())
    assert str(raised.value) == (
        "127.0.0.1 sends model.safetensors of marca/sentimiento at less than 1 kB a second; start again: what has come "
        "is kept."
    )
    came = (tmp_path / "model.safetensors.part").stat().st_size
    assert 0 < came < 60 * 1024
    fetched(server, tmp_path)
    assert [asked.headers.get("range") for asked in server.requests("/cdn/")] == [None, f"bytes={came}-"]
    assert (tmp_path / "model.safetensors").read_bytes() == FILES["model.safetensors"]


def test_a_slow_line_is_waited_for(server: HubServer, tmp_path: Path) -> None:
    server.fail("drip", path="/cdn/", piece=2500)
    fetched(server, tmp_path, clock=ticking())
    assert len(server.requests("/cdn/")) == 1
    assert (tmp_path / "model.safetensors").read_bytes() == FILES["model.safetensors"]


@pytest.mark.parametrize("path", ["/api/", "/vocab.txt", "/cdn/"])
@pytest.mark.parametrize("kind", ["drip", "prelude", "hollow"])
def test_what_comes_without_bringing_anything_is_not_waited_for(
    server: HubServer, tmp_path: Path, kind: str, path: str
) -> None:
    server.publish(NAME, FILES | {"vocab.txt": b"a" * 10_000})
    server.fail(kind, path=path)
    with pytest.raises(Unavailable, match=r"sends .*marca/sentimiento.* at less than 1 kB a second"):
        fetched(server, tmp_path, clock=ticking())


def test_an_answer_through_a_proxy_is_not_waited_for_either(
    server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Proxy(server.url) as proxy:
        proxy.fail("GET", "slow", seconds=0.001)
        monkeypatch.setenv("http_proxy", proxy.url)
        with pytest.raises(Unavailable, match="at less than 1 kB a second"):
            Hub(endpoint="http://hub.example", clock=ticking()).look(NAME)


def test_a_byte_for_each_connection_is_not_waited_for(server: HubServer, tmp_path: Path) -> None:
    server.fail("cut", path="/cdn/", after=1, times=99)
    with pytest.raises(Unavailable, match=r"The connection .* broke over model\.safetensors"):
        fetched(server, tmp_path)
    assert len(server.requests("/cdn/")) == 5
    assert (tmp_path / "model.safetensors.part").stat().st_size == 5


def test_the_pace_is_an_average() -> None:
    now = [0.0]
    pace = Pace(lambda: now[0])
    for second in range(1, 240):
        now[0] = float(second)
        if second % 60 == 1:
            pace.gained(60 * 1024)
        pace.look()
    now[0] = 300.0
    with pytest.raises(TooSlow):
        pace.look()


def test_nobody_there(tmp_path: Path) -> None:
    with HubServer() as gone:
        pass
    with pytest.raises(Unavailable, match=r"The connection to 127\.0\.0\.1 broke .* check the connection"):
        hub_at(gone).look(NAME)


@pytest.mark.parametrize(
    ("name", "revision", "said"),
    [
        ("marca/otra", "main", r"has no marca/otra at main for everybody: check the name"),
        (NAME, "v9", r"There is no marca/sentimiento at v9; check --revision"),
        ("../etc", "main", r"no model's name on a hub; write it as OWNER/NAME"),
        ("a/b/c", "main", r"write it as OWNER/NAME"),
    ],
)
def test_what_is_not_there(server: HubServer, name: str, revision: str, said: str) -> None:
    with pytest.raises(Mistake, match=said):
        hub_at(server).look(name, revision)


# --- tokens ---


def test_a_gated_model_wants_a_token(server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.publish(NAME, FILES, gated=True)
    with pytest.raises(Mistake, match=r"accept them there, then put a token that may read it into HF_TOKEN\."):
        fetched(server, tmp_path)
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(Mistake, match=r"let the token in HF_TOKEN be one that may read it\.") as raised:
        fetched(server, tmp_path)
    assert "hf_wrong" not in str(raised.value)
    monkeypatch.setenv("HF_TOKEN", "hf_secret\n")
    fetched(server, tmp_path)


def test_the_token_goes_to_the_hub_alone(server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ana password geheim\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    with HubServer() as elsewhere:
        commit = elsewhere.publish(NAME, FILES)
        server.fail("down", path="/vocab.txt", to=f"{elsewhere.url}/{NAME}/resolve/{commit}/vocab.txt")
        fetched(server, tmp_path / "files", token="hf_secret")
        (asked,) = elsewhere.asked
    assert "authorization" not in asked.headers
    assert all(each.headers["authorization"] == "Bearer hf_secret" for each in server.requests("/resolve/"))


@pytest.mark.parametrize("mask", ["@", "\\@", "\\@localhost\\@"])
def test_an_address_that_looks_like_the_hub_s_gets_no_token(server: HubServer, tmp_path: Path, mask: str) -> None:
    hub = server.url.removeprefix("http://")
    with HubServer() as elsewhere:
        server.fail("down", path="/vocab.txt", to=f"{elsewhere.url}{mask}{hub}/vocab.txt")
        with contextlib.suppress(EscuchaError):
            fetched(server, tmp_path / "files", token="hf_secret")
        assert all("authorization" not in asked.headers for asked in elsewhere.asked)
    masked = requests.Request("GET", r"https://evil.example\@hub.example/x").prepare()
    assert masked.url == "https://evil.example/%5C@hub.example/x"
    assert "Authorization" not in Hub(endpoint="https://hub.example", token="hf_secret")._signed(masked).headers


@pytest.mark.parametrize("to", ["http://127.0.0.1:port/x", "http://[::1/x", "//hub:99999999/x"])
def test_a_redirect_to_no_address_is_refused(server: HubServer, tmp_path: Path, to: str) -> None:
    server.fail("down", path="/vocab.txt", to=to)
    with pytest.raises(Mistake, match="an address that is not safe"):
        fetched(server, tmp_path)


def test_what_a_redirect_holds_is_not_read(server: HubServer, tmp_path: Path) -> None:
    server.fail("heavy", path="/vocab.txt")
    fetched(server, tmp_path, timeout=(5.0, 5.0))
    assert (tmp_path / "vocab.txt").read_bytes() == FILES["vocab.txt"]
    assert len(server.requests("/vocab.txt")) == 2


@pytest.mark.parametrize("size", ["-1", "Infinity", "1e400", "9" * 400])
def test_a_size_that_no_file_has_is_nonsense(size: str) -> None:
    files = f'{{"rfilename": "config.json", "size": {size}, "blobId": "ab"}}'
    body = f'{{"sha": "{"a" * 40}", "siblings": [{files}]}}'
    with pytest.raises(Unavailable, match="answers nonsense"):
        Hub(endpoint="https://hub.example")._listing(NAME, body.encode())


def test_settings_that_nobody_could_read_are_not_fetched(server: HubServer, tmp_path: Path) -> None:
    huge = RemoteFile(name="config.json", size=10**9, blob="ab" * 20)
    listing = Listing(repository=NAME, commit="a" * 40, files=(huge,))
    with pytest.raises(Mistake, match="has 1,000 MB, and no model needs that"):
        hub_at(server).fetch(listing, ["config.json"], tmp_path)
    assert not server.asked


def test_a_token_is_not_said_in_the_clear() -> None:
    hub = Hub(endpoint="http://hub.example", token="hf_secret")
    request = hub._signed(requests.Request("GET", "http://hub.example").prepare())
    assert "Authorization" not in request.headers


def test_a_redirect_out_of_the_web_is_refused(server: HubServer, tmp_path: Path) -> None:
    server.fail("down", path="/vocab.txt", to="file:///etc/passwd")
    with pytest.raises(Mistake, match="an address that is not safe"):
        fetched(server, tmp_path)


# --- the machine ---


def test_through_a_proxy(server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Proxy(server.url) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        hub = Hub(endpoint="http://hub.example")
        listing = hub.look(NAME)
        hub.fetch(listing, ["config.json"], tmp_path)
        assert [seen.path.partition("?")[0] for seen in proxy.requests] == [
            f"http://hub.example/api/models/{NAME}/revision/main",
            f"http://hub.example/{NAME}/resolve/{listing.commit}/config.json",
        ]
    assert (tmp_path / "config.json").read_bytes() == FILES["config.json"]


def test_a_proxy_that_is_not_there_is_named(server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with HubServer() as gone:
        pass
    monkeypatch.setenv("http_proxy", gone.url.replace("http://", "http://ana:geheim@"))
    with pytest.raises(Mistake, match=r"The proxy between here and hub\.example does not answer") as raised:
        Hub(endpoint="http://hub.example", sleep=lambda _seconds: None).look(NAME)
    assert "geheim" not in str(raised.value)


def test_a_full_disk_is_said_and_what_came_is_kept(server: HubServer, tmp_path: Path) -> None:
    old, limits = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (131_072, limits[1]))  # no file may grow larger
    try:
        with pytest.raises(Outage, match=r"cannot be written to .*make room"):
            fetched(server, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, old)
    assert (tmp_path / "model.safetensors.part").stat().st_size > 60_000
    fetched(server, tmp_path)


def test_a_model_larger_than_the_disk_is_not_begun(server: HubServer, tmp_path: Path) -> None:
    hub = hub_at(server)
    listing = hub.look(NAME)
    huge = tuple(
        type(file)(name=file.name, size=10**18, sha256="ab" * 32) if file.name == "model.safetensors" else file
        for file in listing.files
    )
    listing = Listing(repository=NAME, commit=listing.commit, files=huge)
    with pytest.raises(Outage, match=r"needs 1000000000\.0 GB more"):
        hub.fetch(listing, ["model.safetensors"], tmp_path)
    assert not server.requests("/resolve/")


def test_two_imports_do_not_write_into_each_other(server: HubServer, tmp_path: Path) -> None:
    from filelock import FileLock

    with FileLock(tmp_path / ".lock"), pytest.raises(Mistake, match="Another import fetches"):
        fetched(server, tmp_path)


@pytest.mark.parametrize("address", ["hub.example", "https://hub.example:port", "https://[::1"])
def test_an_address_that_is_none(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("HF_ENDPOINT", address)
    with pytest.raises(Mistake, match="HF_ENDPOINT is no address"):
        Hub()


# --- which files ---


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["config.json", "vocab.txt", "pytorch_model.bin"], "no model.safetensors; weights in other forms can hold"),
        (["model.safetensors", "vocab.txt"], "no config.json"),
        (["config.json", "model.safetensors", "tokenizer.py"], "no tokenizer"),
    ],
)
def test_what_is_no_model_is_refused(names: list[str], said: str) -> None:
    with pytest.raises(Mistake, match=said):
        choosing.needed(names, NAME)


def test_weights_in_parts() -> None:
    names = ["config.json", "vocab.txt", "model.safetensors.index.json", "model-00001-of-00002.safetensors"]
    assert choosing.needed(names, NAME)[-1] == "model.safetensors.index.json"
    index = '{"weight_map": {"a": "model-2.safetensors", "b": "model-1.safetensors", "c": "model-2.safetensors"}}'
    assert choosing.shards(index, NAME) == ("model-1.safetensors", "model-2.safetensors")


@pytest.mark.parametrize(
    "index",
    [
        "",
        "[]",
        "{}",
        '{"weight_map": {}}',
        '{"weight_map": {"a": "../x.safetensors"}}',
        '{"weight_map": {"a": "x.bin"}}',
        '{"weight_map": {"a": 7}}',
        "[" * 100_000,
    ],
)
def test_parts_that_are_no_files_beside_it(index: str) -> None:
    with pytest.raises(Mistake, match="list of weights"):
        choosing.shards(index, NAME)


def test_the_hashes_are_those_that_git_and_sha_give(server: HubServer) -> None:
    files = {file.name: file for file in hub_at(server).look(NAME).files}
    assert files["model.safetensors"].sha256 == hashlib.sha256(FILES["model.safetensors"]).hexdigest()
    assert files["vocab.txt"].blob == hashlib.sha1(b"blob 11\0" + FILES["vocab.txt"]).hexdigest()
