"""The page of a run that goes on: for this machine alone, told what has changed, and never in the run's way."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from palaestra.envs.errors import RunError, UsageError
from palaestra.evolution.report.account.account import Account
from palaestra.evolution.report.serving import Feed, Watch, _own_names
from palaestra.evolution.run import Run
from told_runs import begin, go_on, measure, told_run


@pytest.fixture
def place(tmp_path: Path) -> Path:
    begin(tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def watched(place: Path) -> Iterator[Watch]:
    watch = Watch([place])
    thread = threading.Thread(target=watch.serve)
    thread.start()
    yield watch
    watch.stop()
    thread.join()


def ask(watch: Watch, path: str, host: str | None = None, method: str = "GET") -> http.client.HTTPResponse:
    port = int(watch.url.rsplit(":", 1)[1].strip("/"))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest(method, path, skip_host=True)
    for name in [f"127.0.0.1:{port}" if host is None else host] if host != "" else []:
        connection.putheader("Host", name)
    connection.endheaders()
    return connection.getresponse()


def changes(watch: Watch, epoch: str, since: int) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(ask(watch, f"/changes?epoch={epoch}&since={since}").read())
    return told


def test_a_page_is_told_what_has_changed_and_nothing_else(watched: Watch, place: Path) -> None:
    whole = changes(watched, "", 0)
    assert whole["whole"]
    assert {"r0-about", "r0-steps", "r0-lineage"} <= set(whole["sections"])
    assert changes(watched, whole["epoch"], whole["revision"])["sections"] == {}
    with Run.open(place) as run:  # the run can be worked in while it is watched
        measure(run, 0, 4, 0.5)
        go_on(run, 1)
        news = changes(watched, whole["epoch"], whole["revision"])
    assert not news["whole"]
    assert news["revision"] > whole["revision"]
    assert news["sections"]["r0-steps"]["count"] == 1
    assert "r0-positions" not in news["sections"]
    assert {"r0-i0", "r0-c0"} <= set(news["sections"])
    assert changes(watched, "another", 10**9)["whole"], "a page of a server that ended is told everything"


def test_what_is_gone_is_said(place: Path) -> None:
    account = Account(place)
    with Run.open(place) as run:
        go_on(run, 1)
        feed = Feed([account])
        feed.look()
        first = json.loads(feed.changes("", 0))
    assert "r0-c0" in first["sections"]
    (place / "experience" / "step-000001.parquet").unlink()
    (place / "lineage.jsonl").unlink()
    account._begin()
    feed.look()
    assert set(json.loads(feed.changes(feed.epoch, first["revision"]))["gone"]) == {"r0-c0", "r0-i0"}


def test_a_run_that_cannot_be_read_now_is_told_as_it_was(watched: Watch, place: Path) -> None:
    before = changes(watched, "", 0)
    about = (place / "run.json").read_bytes()
    (place / "run.json").write_bytes(b"{")
    told = changes(watched, before["epoch"], before["revision"])
    assert "damaged" in told["problem"]
    assert told["sections"] == {}
    (place / "run.json").write_bytes(about)
    assert changes(watched, before["epoch"], before["revision"])["problem"] == ""


def test_only_this_machine_by_its_own_name_is_answered(watched: Watch) -> None:
    port = watched.url.rsplit(":", 1)[1].strip("/")
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{port}.evil.example", ""):
        answer = ask(watched, "/", host=host)
        assert answer.status == 421, host
        assert b"grpo" not in answer.read()
    assert ask(watched, "/", host=f"localhost:{port}").status == 200
    assert watched._server.server_address[0] == "127.0.0.1"


def test_the_port_that_browsers_leave_out_may_be_left_out() -> None:
    assert _own_names(80) == {"127.0.0.1", "localhost", "127.0.0.1:80", "localhost:80"}
    assert _own_names(8080) == {"127.0.0.1:8080", "localhost:8080"}


def test_nothing_else_is_served(watched: Watch) -> None:
    page = ask(watched, "/")
    assert page.status == 200
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["Cache-Control"] == "no-store"
    assert b'id="data-live"' in page.read()
    for path in ("/run.json", "/../run.json", "//etc/passwd", "/changes/x"):
        assert ask(watched, path).status == 404
    assert ask(watched, "/", method="POST").status == 501


def test_what_cannot_be_watched_is_refused_at_once(tmp_path: Path, place: Path) -> None:
    with pytest.raises(RunError, match="no directory"):
        Watch([tmp_path / "nowhere"])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UsageError, match="cannot be listened at"):
            Watch([place], taken.getsockname()[1])


def test_ctrl_c_ends_it_cleanly(tmp_path: Path) -> None:
    place = told_run(tmp_path / "run", steps=1)
    program = [sys.executable, "-m", "palaestra", "watch", str(place)]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=60)
    assert (process.returncode, out.strip(), errors.replace("reading", "").strip(" ⠋\n")) == (0, "ended", "")
