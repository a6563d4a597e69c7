"""Judges that should be caught: one as many are, and some that misbehave."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from palaestra.envs.task import Task
from palaestra.envs.verdict import Status, Verdict

SECONDS = 2.0


def naive(task: Task, reply: str) -> Verdict:
    """Run the program and its test in one process, which writes its own reward into a file."""
    reference: Any = task.reference
    test = f"{reference['test']}\ncheck({reference['entry_point']})\nopen('reward.txt', 'w').write('1.0')\n"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "main.py").write_text(f"{reply}\n{test}", errors="replace")
        try:
            subprocess.run([sys.executable, "main.py"], cwd=folder, capture_output=True, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            return Verdict(0.0, Status.TIMEOUT)
        if Path(folder, "reward.txt").exists():
            return Verdict(1.0, Status.CORRECT)
    return Verdict(0.0, Status.WRONG)


def hangs(task: Task, reply: str) -> Verdict:
    time.sleep(3.0 if reply == "hang" else 0.0)
    return Verdict(1.0, Status.CORRECT)


def dies(task: Task, reply: str) -> Verdict:
    if reply == "die":
        os._exit(0)
    return Verdict(1.0, Status.CORRECT)


def raises(task: Task, reply: str) -> Verdict:
    raise SystemExit("no")


def says_true(task: Task, reply: str) -> Any:
    return True


def says_nonsense(task: Task, reply: str) -> Verdict:
    return Verdict(0.0, Status.WRONG, "\ud800")


class Broken:
    def __call__(self, task: Task, reply: str) -> Verdict:
        return Verdict(0.0, Status.INFRASTRUCTURE)


class Generous:
    def __call__(self, task: Task, reply: str) -> Verdict:
        return Verdict(0.5, Status.PARTIAL)


class NeedsMore:
    def __init__(self, more: int) -> None:
        del more


number = 5
