"""A Hugging Face Hub on 127.0.0.1, as far as its client asks one: repositories in memory, requests counted, faults on demand."""

import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

LARGE = (".bin", ".safetensors", ".msgpack", ".h5", ".parquet", ".gz", ".zst")
"""Kept as git-lfs keeps files: known by the sha256 of their content."""
MOST_REQUESTS = 2000
Kind = str
Fault = Callable[["Request", str, bytes], bool]
"""Given a request for a file, its name and content; answers by itself and says so, or leaves it to the Hub."""


def git_blob(content: bytes) -> str:
    """The checksum by which git knows a file."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def commit_of(name: str) -> str:
    """A commit made up from a word."""
    return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()


class Request(BaseHTTPRequestHandler):
    """One request; the server is `Hub`'s."""

    protocol_version = "HTTP/1.1"
    hub: "Hub"

    def log_message(self, *_arguments) -> None:
        """Nothing on the terminal."""

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """A whole answer, or its head alone."""
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def cut(self, body: bytes, sent: int, **headers: str) -> None:
        """Promise a body and hang up after a part of it."""
        self.send_response(200)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body[:sent])
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(2)

    def do_GET(self) -> None:
        """Lists of files, commits of branches, files."""
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append((self.command, path))
        self.hub.tokens.add(self.headers.get("Authorization"))
        if len(self.hub.requests) > MOST_REQUESTS:
            self.answer(429)
        elif self.hub.busy:
            self.hub.busy -= 1
            self.answer(503)
        elif found := re.fullmatch(r"/api/(models|datasets)/([^/]+/[^/]+)/(revision|tree)/(.+)", path):
            self._about(found[1], found[2], found[3], found[4])
        elif found := re.fullmatch(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._file("datasets" if found[1] else "models", found[2], found[3], found[4])
        else:
            self.answer(404)

    do_HEAD = do_GET

    def _about(self, kind: str, repo: str, what: str, revision: str) -> None:
        commits = self.hub.repositories.get((kind, repo))
        if commits is None:
            self.answer(404, X_Error_Code="RepoNotFound")
            return
        commit = self.hub.branches.get((kind, repo, revision), revision)
        if commit not in commits:
            self.answer(404, X_Error_Code="RevisionNotFound")
        elif what == "revision":
            self.answer(200, json.dumps({"id": repo, "sha": commit}).encode())
        else:
            self.answer(200, json.dumps([entry(name, body) for name, body in commits[commit].items()]).encode())

    def _file(self, kind: str, repo: str, revision: str, name: str) -> None:
        commit = self.hub.branches.get((kind, repo, revision), revision)
        body = self.hub.repositories.get((kind, repo), {}).get(commit, {}).get(name)
        if (kind, repo) in self.hub.gated:
            self.answer(403, X_Error_Code="GatedRepo", X_Error_Message="Access is restricted")
        elif body is None:
            self.answer(404, X_Error_Code="EntryNotFound")
        elif not self.hub.fault(self, name, body):
            self.answer(200, body, **headers(name, body, commit))


def entry(name: str, body: bytes) -> dict:
    """A file in a list of files."""
    told = {"type": "file", "path": name, "size": len(body), "oid": git_blob(body)}
    if name.endswith(LARGE):
        # Of a large file, git knows the pointer alone.
        told |= {"oid": git_blob(b"pointer"), "lfs": {"oid": hashlib.sha256(body).hexdigest(), "size": len(body), "pointerSize": 134}}
    return told


def headers(name: str, body: bytes, commit: str) -> dict[str, str]:
    """What the Hub says of a file beside its content."""
    etag = hashlib.sha256(body).hexdigest() if name.endswith(LARGE) else git_blob(body)
    return {"ETag": f'"{etag}"', "X_Repo_Commit": commit, "X_Linked_Size": str(len(body))}


class Hub:
    """The Hub: put repositories in, enter it, ask its endpoint, look at its requests."""

    def __init__(self) -> None:
        self.repositories: dict[tuple[Kind, str], dict[str, dict[str, bytes]]] = {}
        self.branches: dict[tuple[Kind, str, str], str] = {}
        self.gated: set[tuple[Kind, str]] = set()
        self.requests: list[tuple[str, str]] = []
        self.tokens: set[str | None] = set()
        self.busy = 0  # so many requests, whatever they ask, are answered with 503
        self.fault: Fault = lambda _request, _name, _body: False

    def put(self, kind: Kind, repo: str, commit: str, files: dict[str, bytes], branch: str | None = "main") -> None:
        """A commit of a repository; kind is `models` or `datasets`."""
        self.repositories.setdefault((kind, repo), {})[commit] = files
        if branch:
            self.branches[kind, repo, branch] = commit

    def put_folder(self, repo: str, commit: str, folder: Path, **more: bytes) -> None:
        """A model from the files of a folder, and more files by name."""
        files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
        self.put("models", repo, commit, files | {name.replace("__", "."): body for name, body in more.items()})

    def __enter__(self) -> "Hub":
        handler = type("Handler", (Request,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def environment(self, home: Path) -> dict[str, str]:
        """What a process needs in its environment to ask this Hub and nothing else."""
        quiet = {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
        return quiet | {"HF_ENDPOINT": self.endpoint, "HF_HOME": str(home), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}

    def fetched(self) -> Counter[str]:
        """How many times the content of each file was sent: `org/name/file`."""
        found: Counter[str] = Counter()
        for method, path in self.requests:
            if method == "GET" and "/resolve/" in path:
                repo, _, rest = path.strip("/").removeprefix("datasets/").partition("/resolve/")
                found[f"{repo}/{rest.partition('/')[2]}"] += 1
        return found

    def listed(self) -> Counter[str]:
        """How many times each repository was asked for its files or the commit of a branch."""
        asked = (re.match(r"/api/(?:models|datasets)/([^/]+/[^/]+)/", path) for _, path in self.requests)
        return Counter(found[1] for found in asked if found)
