"""Our environments as an inspect_ai task: its models play, our judge scores."""

import asyncio
from typing import Any, Final

from palaestra.envs.adapters.prefixes import needing
from palaestra.envs.catalogue import make
from palaestra.envs.seeding import derive_seed
from palaestra.envs.text_env import TextEnv
from palaestra.envs.verdict import Status, Verdict

with needing("inspect"):
    from inspect_ai import Task
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.model import ChatMessageUser
    from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
    from inspect_ai.solver import Generate, Solver, TaskState, solver

__all__ = ["inspect_task"]

_KEPT: Final = "palaestra"


def inspect_task(spec: str, *, held_out: bool = True, size: int | None = None, seed: int = 0, **settings: Any) -> Task:
    """Return one of our environments as an inspect_ai task.

    The model under evaluation is asked turn by turn; the score is the episode's return, with the verdict of our judge
    in its metadata. An invalid episode is unscored, so that it enters no metric.

    Args:
        spec: Names the environment.
        held_out: Whether the held-out tasks are its samples, or the others.
        size: Most samples; None takes all.
        seed: Names the randomness of the world; an epoch is another seed.
        **settings: Of the inspect_ai task, such as `epochs` or `time_limit`.
    """
    world = make(spec)
    split = world.tasks.split()
    tasks = list(split.test if held_out else split.train)[:size]
    samples = [
        Sample(
            input=task.prompt,
            target="" if task.reference is None else str(task.reference),
            id=task.id,
            metadata={"task": task.id, "fingerprint": task.fingerprint, "spec": spec},
        )
        for task in tasks
    ]
    name = settings.pop("name", None) or "".join(c if c.isalnum() or c in "-_" else "-" for c in spec)
    return Task(
        dataset=MemoryDataset(samples, name=world.tasks.name),
        solver=_playing(world, seed),
        scorer=_our_verdict(),
        name=name,
        **settings,
    )


def _playing(world: TextEnv, seed: int) -> Solver:
    @solver(name="palaestra_playing")  # type: ignore[untyped-decorator]
    def playing() -> Solver:
        async def solve(state: TaskState, generate: Generate) -> TaskState:
            own = derive_seed(seed, "inspect", str(state.sample_id), state.epoch)
            kept = await _played(world.clone(), state, generate, own)
            state.store.set(_KEPT, kept)
            return state

        return solve

    return playing()


async def _played(world: TextEnv, state: TaskState, generate: Generate, seed: int) -> dict[str, Any]:
    """Play one episode in the messages of a sample, and return what is known of it."""
    rewards: list[float] = []
    verdict: Verdict | None = None
    over = False
    try:
        options = {"task": state.metadata["task"]}
        observation, _ = await asyncio.to_thread(world.reset, seed=seed, options=options)
        state.messages = [message for message in state.messages if message.role == "system"]
        while not over:
            state.messages.append(ChatMessageUser(content=observation))
            # What a model or its server fails at is inspect_ai's to deal with.
            answered = await generate(state)
            if answered.completed:
                break
            try:
                step = await asyncio.to_thread(world.step, answered.output.completion)
            except Exception as error:  # a world may fail in any way
                verdict, over = Verdict(0.0, Status.INFRASTRUCTURE, f"{type(error).__name__}: {error}"), True
            else:
                observation, reward, terminated, truncated, info = step
                verdict, over = info.get("verdict", verdict), terminated or truncated
                rewards.append(float(reward))
    finally:
        world.close()
    return {
        "rewards": rewards,
        "status": str(verdict.status) if verdict else "",
        "detail": verdict.detail if verdict else "",
        "valid": verdict is None or verdict.valid,
        "seed": seed,
    }


@scorer(metrics=[mean(), stderr()], name="palaestra_verdict")  # type: ignore[untyped-decorator]
def _our_verdict() -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        del target
        kept = state.store.get(_KEPT)
        if not kept or not kept["valid"]:
            why = kept["detail"] if kept else "the episode did not end"
            return Score.unscored(reason="scoring_failed", explanation=why, metadata=kept or {})
        paid = sum(kept["rewards"])
        return Score(value=paid, answer=state.output.completion, explanation=kept["detail"], metadata=kept)

    return score
