"""The page about a run while it goes on: served to this machine alone, told what has changed since it last asked."""

import json
import threading
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from http.client import HTTP_PORT
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from secrets import token_hex
from urllib.parse import parse_qs, urlsplit

from palaestra.envs.errors import PalaestraError, UsageError
from palaestra.envs.task import Json
from palaestra.evolution.report.account.account import Account
from palaestra.evolution.report.page import asset, policy
from palaestra.evolution.report.report import accounts_of, render, scripts, sections_of

__all__ = ["Feed", "Watch"]

_LOOPBACK = "127.0.0.1"
# As often as a page asks; what a run commits in a step is then seen soon, and asking costs little.
_SECONDS = 2.0


class Feed:
    """What a page was told, and what has changed since.

    Args:
        accounts: Of the runs.

    Attributes:
        epoch: Names this feed: a page that was told by another one is told everything.
    """

    def __init__(self, accounts: Sequence[Account]) -> None:
        self.epoch = token_hex(8)
        self._accounts = accounts
        self._sections: dict[str, str] = {}
        self._changed: dict[str, int] = {}
        self._gone: dict[str, int] = {}
        self._revision = 0
        self._problem = ""
        self._lock = threading.Lock()

    def look(self) -> None:
        """Read the runs again.

        A run that cannot be read now is told as it was: it may be in the middle of being cut back or made anew.
        """
        with self._lock:
            try:
                sections = sections_of(self._accounts)
            except (PalaestraError, OSError, ValueError) as error:
                if not self._sections:
                    raise
                self._problem = " ".join(str(error).split())
                return
            self._problem = ""
            changed = [name for name, text in sections.items() if self._sections.get(name) != text]
            gone = [name for name in self._sections if name not in sections]
            if changed or gone:
                self._revision += 1
            for name in changed:
                self._changed[name] = self._revision
                self._gone.pop(name, None)
            for name in gone:
                self._gone[name] = self._revision
                del self._changed[name]
            self._sections = sections

    def page(self) -> str:
        """Return the page as it stands."""
        with self._lock:
            live: dict[str, Json] = {"epoch": self.epoch, "revision": self._revision, "seconds": _SECONDS}
            return render(self._sections, [account.directory.name for account in self._accounts], live)

    def changes(self, epoch: str, since: int) -> str:
        """Return what has changed, as JSON.

        Args:
            epoch: Of the feed that the page was told by.
            since: Revision that the page was told.
        """
        with self._lock:
            whole = epoch != self.epoch or since > self._revision
            known = -1 if whole else since
            sections = [name for name, revision in self._changed.items() if revision > known]
            gone = [] if whole else [name for name, revision in self._gone.items() if revision > known]
            head = {"epoch": self.epoch, "revision": self._revision, "whole": whole, "gone": gone}
            told = ",".join(f"{json.dumps(name)}:{self._sections[name]}" for name in sections)
            return f'{json.dumps(head | {"problem": self._problem})[:-1]},"sections":{{{told}}}}}'


class Watch:
    """A server of one page, for this machine alone.

    Args:
        runs: Directories of the runs; they are only read.
        port: Where to listen; 0 takes a free one.

    Raises:
        RunError: If one is no run, or damaged.
        UsageError: If the port cannot be had.
    """

    def __init__(self, runs: Sequence[Path], port: int = 0) -> None:
        self.feed = Feed(accounts_of(runs))
        self.feed.look()
        try:
            self._server = ThreadingHTTPServer((_LOOPBACK, port), _handler(self.feed))
        except (OSError, OverflowError) as error:
            raise UsageError(
                f"--port {port} cannot be listened at: {error}. Name another, or 0 for a free one."
            ) from error
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{_LOOPBACK}:{self._server.server_port}/"

    def serve(self) -> None:
        """Serve until interrupted or `stop`."""
        try:
            self._server.serve_forever(poll_interval=0.2)
        finally:
            self._server.server_close()

    def stop(self) -> None:
        """End `serve`, from another thread."""
        self._server.shutdown()


def _handler(feed: Feed) -> type[BaseHTTPRequestHandler]:
    allowed = policy([asset("base.js"), *scripts(live=True)], live=True) + "; frame-ancestors 'none'"

    class Handler(BaseHTTPRequestHandler):
        """Answers GET, to this machine, by its own name."""

        server_version = "palaestra"
        sys_version = ""
        protocol_version = "HTTP/1.1"
        timeout = 60

        def do_GET(self) -> None:
            """Answer."""
            if not self._asked_by_own_name():
                self._answer(HTTPStatus.MISDIRECTED_REQUEST, "text/plain", "This server answers to 127.0.0.1 alone.\n")
                return
            address = urlsplit(self.path)
            if address.path == "/":
                feed.look()
                self._answer(HTTPStatus.OK, "text/html", feed.page())
            elif address.path == "/changes":
                asked = parse_qs(address.query)
                since = asked.get("since", ["0"])[0]
                feed.look()
                told = feed.changes(asked.get("epoch", [""])[0], int(since) if since.isdecimal() else 0)
                self._answer(HTTPStatus.OK, "application/json", told)
            else:
                self._answer(HTTPStatus.NOT_FOUND, "text/plain", "There is nothing here but / and /changes.\n")

        def _asked_by_own_name(self) -> bool:
            """Whether the request names this server as itself.

            A page from elsewhere can make its own name point here (DNS rebinding) and would then read the answers.
            """
            hosts = self.headers.get_all("Host") or []
            return len(hosts) == 1 and hosts[0].lower() in _own_names(self.connection.getsockname()[1])

        def _answer(self, status: HTTPStatus, kind: str, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            for name, value in _headers(kind, len(body), allowed).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: people read the page."""

    return Handler


def _own_names(port: int) -> frozenset[str]:
    """Return what a request may call a server at a port; the one that browsers take by default they leave out."""
    names = (_LOOPBACK, "localhost")
    return frozenset(f"{name}:{port}" for name in names) | frozenset(names if port == HTTP_PORT else ())


def _headers(kind: str, length: int, allowed: str) -> Mapping[str, str]:
    return {
        "Content-Type": f"{kind}; charset=utf-8",
        "Content-Length": str(length),
        "Content-Security-Policy": allowed,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
