"""A model's files from a hub, byte for byte those of one commit.

    hub = Hub()
    listing = hub.look("owner/name", "main")          # which commit that is, and what lies in it
    hub.fetch(listing, choosing.needed(listing.names, listing.repository), folder, report)

Three calls of the Hugging Face hub's protocol, made here and not by its own library for two reasons: that one throws an
unfinished file away, and it stays offline in a process that keeps its tokenizer offline. Every file is checked against
what the hub's list says of it: SHA-256 for large ones, git's own hash for those that lie in git. Only weights that are
numbers and nothing else (safetensors) are ever taken, never a program and never a pickle.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import requests
import urllib3

from listener.errors import EscuchaError, Mistake, Outage, RateLimited, Unavailable
from listener.escapes import visible
from listener.model.pace import SLOWEST, Pace, Session, TooSlow, enough

ENDPOINT = "https://huggingface.co"
COMMIT = re.compile(r"[0-9a-f]{40}")
PARTIAL = ".part"
TRIES = 5  # in a row that bring nothing new
TIMEOUT = (10.0, 30.0)  # seconds to connect; seconds without a byte
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(?:/[A-Za-z0-9][\w.-]{0,95})?", re.ASCII)
_LARGEST_LIST = 32 * 1024 * 1024  # bytes
_LARGEST_JSON = 100 * 1024 * 1024  # they are read whole; the largest tokenizers have a third of it
_LARGEST_FILE = 1 << 50
_PIECE = 64 * 1024
_REDIRECTS = 5
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_CUT = (requests.RequestException, urllib3.exceptions.HTTPError)


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """One file of a commit. `sha256` is known of large files, `blob` (git's hash of the content) of all others."""

    name: str
    size: int
    sha256: str = ""
    blob: str = ""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What lies in one commit of a repository; `licence` as its owner states it, "" when they do not."""

    repository: str
    commit: str
    files: tuple[RemoteFile, ...]
    licence: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all files."""
        return tuple(file.name for file in self.files)

    def size(self, names: Collection[str]) -> int:
        """How many bytes those files have together."""
        return sum(file.size for file in self.files if file.name in names)


class Hub:
    """A hub at `endpoint` (by default HF_ENDPOINT, else Hugging Face's). Proxies and certificates as the environment
    says; `token` (by default HF_TOKEN) is shown to that server alone, and to nobody in the clear."""

    def __init__(
        self,
        *,
        endpoint: str | None = None,
        token: str | None = None,
        timeout: tuple[float, float] = TIMEOUT,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.endpoint = (endpoint or os.environ.get("HF_ENDPOINT") or ENDPOINT).strip().rstrip("/")
        try:
            scheme, host, _ = self._origin = _origin(self.endpoint)
        except ValueError:
            scheme, host = "", None
        if scheme not in ("http", "https") or not host:
            raise Mistake("HF_ENDPOINT is no address; write it like https://hub.example, or leave it unset.")
        self.host = host
        token = (os.environ.get("HF_TOKEN") or "").strip() if token is None else token
        self._token = token if scheme == "https" or host in _LOOPBACK else ""
        self._timeout = timeout
        self._sleep = sleep
        self._pace = Pace(clock)
        self._session = Session(self._pace)

    def look(self, repository: str, revision: str = "main") -> Listing:
        """What lies at `revision` (commit, branch or tag) of `repository`, and which commit that is.

        Raises Mistake where there is none or it may not be read, another EscuchaError where the hub does not answer.
        """
        if not _NAME.fullmatch(repository):
            raise Mistake(f"{repository!r} is no folder here, and no model's name on a hub; write it as OWNER/NAME.")
        url = f"{self.endpoint}/api/models/{repository}/revision/{quote(revision, safe='')}?blobs=true"
        what = f"{repository} at {revision}"

        def ask() -> bytes:
            with self._answer(url, what) as response:
                return self._read_list(response)

        return self._listing(repository, self._patiently(ask, what))

    def fetch(
        self,
        listing: Listing,
        names: Sequence[str],
        folder: Path,
        report: Callable[[int], None] = lambda _done: None,
    ) -> None:
        """Brings those files of the commit into `folder`; what lies there already, whole or in part, is not asked for
        again. `report` hears how many bytes of them are there.

        Raises Outage for a full disk, Mistake for a file that is not what the list says, RateLimited or Unavailable
        where the hub does not answer; what has come stays, and the next call goes on from there.
        """
        files = [_named(listing, name) for name in names]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _alone(folder):
                _check_room(files, folder)
                before = 0
                for file in files:
                    self._fetch_file(listing, file, folder, lambda done, start=before: report(start + done))  # type: ignore[misc]
                    before += file.size
        except OSError as error:
            raise Outage(
                f"The model cannot be written to {folder} ({error.strerror or error}); make room or change its rights, "
                "then start again: what has come is kept."
            ) from error

    # --- one file ---

    def _fetch_file(self, listing: Listing, file: RemoteFile, folder: Path, report: Callable[[int], None]) -> None:
        whole, part = folder / file.name, folder / f"{file.name}{PARTIAL}"
        if whole.is_file() and _right(whole, file):
            report(file.size)
            return
        resumed = part.is_file() and part.stat().st_size > 0
        what = f"{file.name} of {listing.repository}"
        self._patiently(lambda: self._receive(listing, file, part, report), what, progress=lambda: _size(part))
        if (
            not _right(part, file) and resumed
        ):  # what an earlier run left may have been the trouble: once from the start
            part.unlink()
            self._patiently(lambda: self._receive(listing, file, part, report), what, progress=lambda: _size(part))
        if not _right(part, file):
            part.unlink()
            raise Mistake(
                f"What came as {what} is not the file that the hub's list describes, and was thrown away; "
                "start again, and where it stays so, something between here and the hub changes files."
            )
        part.replace(whole)

    def _receive(self, listing: Listing, file: RemoteFile, part: Path, report: Callable[[int], None]) -> None:
        """Adds to `part` what it lacks. Raises one of `_CUT` where the connection ends before the file does."""
        have = _size(part)
        if have > file.size:
            part.unlink()
            have = 0
        report(have)
        if have == file.size and part.is_file():
            return
        url = f"{self.endpoint}/{listing.repository}/resolve/{listing.commit}/{quote(file.name)}"
        what = f"{file.name} of {listing.repository}"
        ranged = {"Range": f"bytes={have}-"} if have else {}
        with self._answer(url, what, ranged) as response:
            start = _start(response) if response.status_code == 206 else 0
            if start not in (0, have):
                raise requests.ConnectionError("another part than the one asked for")
            with part.open("ab" if start else "wb") as out:
                done = start
                for piece in self._pieces(response):
                    out.write(piece[: file.size + 1 - done])
                    done += len(piece)
                    report(min(done, file.size))
                    if done > file.size:
                        return  # it is not that file, and its hash will say so
        if done < file.size:
            raise requests.ConnectionError("the answer ended early")

    # --- asking ---

    def _patiently(self, ask: Callable[[], Any], what: str, *, progress: Callable[[], int] = lambda: 0) -> Any:
        """`ask`, again while the connection breaks or the server is in trouble, but not for ever with next to no
        progress."""
        clock = self._pace.clock
        tries, had, since = 0, progress(), clock()
        while True:
            try:
                return ask()
            except (*_CUT, Unavailable) as error:
                failure: Exception = error
            have, now = progress(), clock()
            tries, had, since = (0, have, now) if enough(have - had, now - since) else (tries + 1, had, since)
            if tries >= TRIES or _hopeless(failure):
                raise self._unreached(failure, what) from failure
            self._sleep(min(2.0**tries, 20.0))

    @contextlib.contextmanager
    def _answer(self, url: str, what: str, headers: dict[str, str] | None = None) -> Iterator[requests.Response]:
        """The answer with its body still to be read, redirects followed; the token goes to the hub alone."""
        for _ in range(_REDIRECTS):
            self._pace.begin()
            response = self._session.get(
                url,
                headers={"Accept-Encoding": "identity", "User-Agent": "escucha", **(headers or {})},
                auth=self._signed,
                stream=True,
                allow_redirects=False,
                timeout=self._timeout,
            )
            with contextlib.closing(response):
                if response.is_redirect:
                    url = self._next(url, response.headers["Location"])
                    continue
                self._check(response, what)
                self._pace.begin()
                yield response
                return
        raise Mistake(f"{self.host} sends requests for {what} in a circle; check HF_ENDPOINT.")

    def _pieces(self, response: requests.Response) -> Iterator[bytes]:
        """The body as it comes."""
        while piece := response.raw.read1(_PIECE, decode_content=True):
            self._pace.gained(len(piece))
            yield piece

    def _read_list(self, response: requests.Response) -> bytes:
        body = bytearray()
        for piece in self._pieces(response):
            body += piece
            if len(body) > _LARGEST_LIST:
                raise Mistake("The hub's list of files does not end; check HF_ENDPOINT.")
        return bytes(body)

    def _signed(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """With the token, where the request goes to the hub: by the address as it will be connected to, for others read
        `https://a\\@b` otherwise. Given for every request, or requests would look for a password in ~/.netrc."""
        if self._token and _origin(request.url or "") == self._origin:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def _next(self, url: str, location: str) -> str:
        schemes = ("https",) if url.startswith("https:") else ("http", "https")
        try:
            target = urljoin(url, location)
            safe = _origin(target)[0] in schemes
        except ValueError:
            safe = False
        if not safe:
            raise Mistake(f"{self.host} sends us on to an address that is not safe, so nothing was fetched.")
        return target

    def _check(self, response: requests.Response, what: str) -> None:
        """Raises what a status other than success means."""
        status, code = response.status_code, response.headers.get("X-Error-Code", "")
        token = "the token in HF_TOKEN" if self._token else ""
        if status in (200, 206):
            return
        if status == 429:
            wait = response.headers.get("Retry-After", "")
            seconds = min(float(wait), 86_400.0) if re.fullmatch(r"[0-9]{1,9}", wait) else None
            when = f"in {seconds:.0f} seconds" if seconds else "in some minutes"
            raise RateLimited(
                f"{self.host} wants us to wait; start again {when}: what has come is kept.", retry_after=seconds
            )
        if status in (401, 403):
            if code == "GatedRepo":
                step = f"let {token} be one that may read it" if token else "put a token that may read it into HF_TOKEN"
                raise Mistake(f"{what} is given only to those who accepted its terms: accept them there, then {step}.")
            if token:
                raise Mistake(f"{self.host} does not give {what} for {token}; check the name, and the token's rights.")
            raise Mistake(
                f"{self.host} has no {what} for everybody: check the name, or, where it is private, "
                "put a token that may read it into HF_TOKEN."
            )
        if status == 404 and code == "RevisionNotFound":
            raise Mistake(f"There is no {what}; check --revision (a commit of 40 digits, a branch or a tag).")
        if status == 404:
            raise Mistake(f"There is no {what} on {self.host}; check the name.")
        if status == 416:
            raise requests.ConnectionError("a part that is not there")
        if status >= 500 or status == 408:
            raise Unavailable(f"{self.host} answers {status}")
        raise Mistake(f"{self.host} answers {status} to the question for {what}; check the name and HF_ENDPOINT.")

    def _unreached(self, failure: Exception, what: str) -> EscuchaError:
        kept = "start again: what has come is kept"
        if isinstance(failure, requests.exceptions.ProxyError):
            return Mistake(f"The proxy between here and {self.host} does not answer; check HTTPS_PROXY and NO_PROXY.")
        if isinstance(failure, requests.exceptions.SSLError):
            return Mistake(
                f"{self.host} shows a certificate that is not trusted here; where a proxy of yours does that, name its "
                "certificate in REQUESTS_CA_BUNDLE."
            )
        if isinstance(failure, TooSlow):
            return Unavailable(f"{self.host} sends {what} at less than {SLOWEST // 1024} kB a second; {kept}.")
        if isinstance(failure, Unavailable):
            return Unavailable(f"{failure} for {what}; {kept}.")
        if isinstance(failure, requests.Timeout | urllib3.exceptions.TimeoutError):
            return Unavailable(f"{self.host} was silent for too long over {what}; {kept}.")
        return Unavailable(f"The connection to {self.host} broke over {what}; check the connection, then {kept}.")

    def _listing(self, repository: str, body: bytes) -> Listing:
        try:
            data = json.loads(body)
            commit = str(data["sha"])
            files = tuple(_remote(sibling) for sibling in data["siblings"])
            card = data.get("cardData")
            licence = visible(str((card or {}).get("license") or "")[:100])
        except (ValueError, OverflowError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise Unavailable(f"{self.host} answers nonsense about {repository}; check HF_ENDPOINT.") from error
        if not COMMIT.fullmatch(commit):
            raise Unavailable(f"{self.host} names no commit of {repository}; check HF_ENDPOINT.")
        return Listing(repository=repository, commit=commit, files=files, licence=licence)


def _remote(sibling: dict[str, Any]) -> RemoteFile:
    large = sibling.get("lfs") or {}
    size = int(large.get("size") or sibling.get("size") or 0)
    if not 0 <= size <= _LARGEST_FILE:
        raise ValueError("a size that no file has")
    return RemoteFile(
        name=str(sibling["rfilename"]),
        size=size,
        sha256=str(large.get("sha256") or "").lower(),
        blob=str(sibling.get("blobId") or "").lower() if not large else "",
    )


def _named(listing: Listing, name: str) -> RemoteFile:
    for file in listing.files:
        if file.name == name:
            if not (file.sha256 or file.blob):
                raise Mistake(f"The hub's list has no hash for {name} of {listing.repository}, so it is not fetched.")
            if name.endswith(".json") and file.size > _LARGEST_JSON:
                raise Mistake(f"{name} of {listing.repository} has {file.size / 1e6:,.0f} MB, and no model needs that.")
            return file
    raise Mistake(f"{listing.repository} has no {name} in commit {listing.commit[:12]}; choose another revision.")


def _right(path: Path, file: RemoteFile) -> bool:
    """Whether the file is what the list describes."""
    if path.stat().st_size != file.size:
        return False
    with path.open("rb") as opened:
        if file.sha256:
            return hashlib.file_digest(opened, "sha256").hexdigest() == file.sha256
        git = hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)
        while piece := opened.read(1 << 20):
            git.update(piece)
    return git.hexdigest() == file.blob


def _check_room(files: Sequence[RemoteFile], folder: Path) -> None:
    lacking = 0
    for file in files:
        here = folder / file.name
        lacking += file.size - max(_size(here), _size(here.with_name(f"{file.name}{PARTIAL}")))
    free = shutil.disk_usage(folder).free
    if lacking > free:
        raise Outage(
            f"The model needs {lacking / 1e9:.1f} GB more in {folder} and there are {free / 1e9:.1f} GB; make room, "
            "then start again."
        )


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else writes there meanwhile. Raises Mistake where somebody does."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout:
        raise Mistake(f"Another import fetches into {folder} just now; wait for it.") from None


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _start(response: requests.Response) -> int:
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(found[1]) if found else -1


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _hopeless(failure: Exception) -> bool:
    return isinstance(failure, requests.exceptions.ProxyError | requests.exceptions.SSLError | TooSlow)
