"""Episodes to store, processes to kill, and events to read back."""

import multiprocessing
import os
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from palaestra.agents.episode import Episode, Turn
from palaestra.agents.policy import FinishReason
from palaestra.envs.verdict import Status, Verdict
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

# A server that has loaded everything forks each process in milliseconds, so that many can be killed.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["pytest", "pandas", "torch.utils.tensorboard", "palaestra.evolution.run"])


def episode(number: int, generator: np.random.Generator, turns: int = 1) -> Episode:
    lived = tuple(
        Turn(
            observation=f"What is {number} + {turn}?",
            reply=f"{number + turn}<end>",
            action=str(number + turn),
            reward=float(generator.normal()),
            verdict=Verdict(1.0, Status.CORRECT, f"{number + turn} is right") if turn % 2 == 0 else None,
            context_ids=generator.integers(0, 100, 30, dtype=np.int32),
            continues=turn > 0,
            reply_ids=generator.integers(0, 100, 8, dtype=np.int32),
            logprobs=-generator.random(8, dtype=np.float32),
            finish=FinishReason.STOP,
            versions=np.full(8, 3, np.int32),
            policy_seconds=0.01,
            env_seconds=0.001,
        )
        for turn in range(turns)
    )
    verdict = Verdict(1.0, Status.CORRECT, "right")
    group = number // 8
    return Episode(
        id=f"e{number}",
        env="palaestra/Sums-v0",
        task=f"t{group}",
        fingerprint="f" * 32,
        group=f"g{group}",
        attempt=number % 8,
        seed=number,
        policy="nursery",
        turns=lived,
        verdict=verdict,
        seconds=0.02,
    )


def events(directory: Path, tag: str) -> list[tuple[int, float]]:
    accumulator = EventAccumulator(str(directory / "tensorboard"))
    accumulator.Reload()
    return [(event.step, event.value) for event in accumulator.Scalars(tag)]


def start(work: Callable[..., None], *args: Any) -> tuple[Any, Connection]:
    """Start a process and wait until it sends its first message."""
    ours, theirs = FORKS.Pipe()
    process = FORKS.Process(target=work, args=(*args, theirs))
    process.start()
    theirs.close()
    assert ours.poll(60), "the process never began"
    return process, ours


def kill_during(work: Callable[..., None], *args: Any, after_seconds: float) -> None:
    process, ours = start(work, *args)
    time.sleep(after_seconds)
    assert process.is_alive(), ours.recv()
    process.kill()
    process.join()
    assert process.exitcode == -9


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
