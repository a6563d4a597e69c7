"""Any Gymnasium world with discrete actions, spoken as text."""

import math
import re
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import gymnasium
import numpy as np
from palaestra.envs.describe import Describe, Success, speech_of
from palaestra.envs.errors import InfrastructureError, UsageError
from palaestra.envs.math.answers import last_match, shown
from palaestra.envs.task import Task, TaskSet
from palaestra.envs.text_env import Info, TextEnv
from palaestra.envs.verdict import Status, Verdict

__all__ = ["ActionParser", "Parse", "TextWorld"]

Parse: TypeAlias = Callable[[str], int | None]
"""`parse(reply) -> action`, or None where the reply names none. It may return a number that is no legal action."""

_READ_CHARS = 10_000
# A search for a solution gives up after this many states.
_SEARCHED_STATES = 100_000


class ActionParser:
    """Find an action in a reply: its name in any case, or its number; the last mention wins.

    Args:
        actions: Names in order, with synonyms as in `Speech`; an empty name goes by its number alone.
        start: Number of the first action.
    """

    def __init__(self, actions: Sequence[str], start: int = 0) -> None:
        spellings = [
            (synonym, number)
            for number, names in enumerate(actions, start)
            for synonym in sorted(names.split("|"), key=len, reverse=True)
            if synonym
        ]
        self._numbers = [number for _, number in spellings]
        gap = r"[\s_-]?"
        names = [rf"\b({gap.join(map(re.escape, synonym.split()))})\b" for synonym, _ in spellings]
        # A number inside a decimal, such as a position that the reply quotes, is no action.
        self._mention = re.compile("|".join([*names, r"(?<![\w.])-?[0-9]{1,6}(?!\w|\.[0-9])"]), re.IGNORECASE)

    def __call__(self, reply: str) -> int | None:
        """Return the number of the last action mentioned in the last 10,000 characters."""
        last = last_match(self._mention, reply[-_READ_CHARS:])
        if last is None:
            return None
        # Not looked up by the word itself, which ignoring case may spell in letters of other alphabets.
        return self._numbers[last.lastindex - 1] if last.lastindex else int(last[0])


class TextWorld(TextEnv):
    """Play a Gymnasium world in words.

    A task is a seed of the world, so a task's episode is the same every time the same actions are played, luck
    included. The world's rewards pass through turn by turn. The verdict at the end carries the return of the episode:
    CORRECT where `success` says so, else PARTIAL for a return above 0 and WRONG for any other. By default success is
    the rule known of the world (`palaestra.envs.describe`), else a return of at least the registered reward
    threshold, else a return above 0.

    A reply that names no action (UNPARSED) or one that does not exist (ILLEGAL) is dealt with as `illegal` says:

    - `"lose"`: the episode ends and this turn pays `penalty`;
    - `"retry:N"`: the player is told and may try again, N times an episode at no cost in reward, then loses;
    - `"random"`: a random action is played instead, drawn from the environment's own generator.

    A world that raises or pays a reward that is not finite is our failure: the episode ends, INFRASTRUCTURE.

    Args:
        env: A registered id, or a function without arguments that builds the world.
        describe: Puts an observation into words; by default what is known of the world, else its spaces' numbers.
        parse: Turns a reply into an action; by default an `ActionParser` of the known names.
        illegal: See above.
        success: See above.
        penalty: Reward of the turn that loses by an illegal action. It should be no better than playing badly: give
            one for a world whose returns are negative. By default what is known of the world, else 0.
        size: How many seeds are tasks, from 0.
        tasks: Takes the place of the seeds; references are seeds.
        render_mode: None or `"ansi"`.
        **settings: Arguments of the world, for an id.

    Raises:
        UsageError: If the world's actions are not discrete or an argument is not understood.
    """

    def __init__(
        self,
        env: str | Callable[[], gymnasium.Env[Any, Any]],
        *,
        describe: Describe | None = None,
        parse: Parse | None = None,
        illegal: str = "lose",
        success: Success | None = None,
        penalty: float | None = None,
        size: int = 1_000,
        tasks: TaskSet | None = None,
        render_mode: str | None = None,
        **settings: Any,
    ) -> None:
        self._source = env
        self._settings = settings
        self.inner = self._built()
        speech = speech_of(self.inner)
        spec = self.inner.spec
        name = spec.id if spec is not None else type(self.inner.unwrapped).__name__
        if tasks is None:
            numbered = (Task(f"{name}#{seed}", f"{name} from seed {seed}", seed) for seed in range(size))
            tasks = TaskSet(numbered, name, endless=True)
        super().__init__(tasks, render_mode=render_mode)
        self.metadata = {**self.metadata, "instant": speech.known}
        self._first = int(self.inner.action_space.start)  # type: ignore[attr-defined]
        names = [names.partition("|")[0] for names in speech.actions]
        self.action_names = [name or str(number) for number, name in enumerate(names, self._first)]
        self._rules = speech.rules
        self._describe = describe or speech.describe
        self._parse = parse or ActionParser(speech.actions, self._first)
        self._retries, self._randomise = _policy(illegal)
        self._success = success or speech.success
        threshold = spec.reward_threshold if spec is not None else None
        self._threshold = math.nextafter(0.0, 1.0) if threshold is None else threshold
        self._penalty = speech.penalty if penalty is None else penalty
        self._return = 0.0
        self._left = 0
        self._over = True

    def _built(self) -> gymnasium.Env[Any, Any]:
        if not isinstance(self._source, str):
            return self._source()
        try:
            return gymnasium.make(self._source, disable_env_checker=True, **self._settings)
        except Exception as error:  # whatever a foreign world raises for settings it dislikes or packages it lacks
            given = f" with {self._settings}" if self._settings else ""
            raise UsageError(f"{self._source} cannot be built{given}: {type(error).__name__}: {error}") from error

    def begin(self, task: Task) -> str:
        """Start the world from the task's seed."""
        if not isinstance(task.reference, int):
            raise UsageError(f"The reference of task {task.id!r} must be a seed, got {task.reference!r}.")
        self._return, self._left, self._over = 0.0, self._retries, False
        try:
            state, _ = self.inner.reset(seed=task.reference)
        except Exception as error:
            raise InfrastructureError(f"{self.inner} failed to start from seed {task.reference}: {error}") from error
        return f"{self._rules}\n\n{self._told(state)}"

    def _told(self, state: Any) -> str:
        return f"{self._describe(self.inner.unwrapped, state)}\nActions: {', '.join(self.action_names)}. Your action?"

    def step(self, action: str) -> tuple[str, float, bool, bool, Info]:
        """Carry out the action a reply names."""
        if self._over or self.task is None:
            raise UsageError("There is no running episode: call reset() before step().")
        number = self._parse(action)
        if number is not None and self._first <= number < self._first + len(self.action_names):
            return self._played(number, None)
        if number is None:
            refusal = Verdict(0.0, Status.UNPARSED, f"no action in {shown(action[-60:])}")
        else:
            refusal = Verdict(0.0, Status.ILLEGAL, f"there is no action {number}")
        if self._randomise:
            return self._played(self._first + int(self.np_random.integers(len(self.action_names))), refusal)
        if self._left > 0:
            self._left -= 1
            asked = f"Reply with one of: {', '.join(self.action_names)}."
            self.observation = f"That was not understood: {refusal.detail}. {asked}"
            return self.observation, 0.0, False, False, self.outcome(refusal)
        self._return += self._penalty
        self._over = True
        self.observation = f"The episode is lost: {refusal.detail}."
        verdict = Verdict(self._return, refusal.status, refusal.detail)
        return self.observation, self._penalty, True, False, self.outcome(verdict)

    def _played(self, number: int, refusal: Verdict | None) -> tuple[str, float, bool, bool, Info]:
        """Play an action; `refusal` says why it is not the player's own."""
        try:
            state, paid, terminated, truncated, _ = self.inner.step(number)
            reward = float(paid)
            if not math.isfinite(reward):
                raise InfrastructureError(f"the world paid {reward}")
            told = self._told(state)
        except Exception as error:
            self._over = True
            failure = Verdict(0.0, Status.INFRASTRUCTURE, f"{type(error).__name__}: {str(error)[:200]}")
            return "The world failed.", 0.0, True, False, self.outcome(failure)
        self._return += reward
        self._over = bool(terminated or truncated)
        self.observation = told if not self._over else told.rpartition("\nActions: ")[0]
        verdict = self._judged(bool(terminated)) if self._over else refusal
        return self.observation, reward, bool(terminated), bool(truncated), self.outcome(verdict)

    def _judged(self, terminated: bool) -> Verdict:
        won = self._success(self._return, terminated) if self._success else self._return >= self._threshold
        status = Status.CORRECT if won else Status.PARTIAL if self._return > 0.0 else Status.WRONG
        return Verdict(self._return, status, f"return {self._return:g}")

    def solution(self, task: Task) -> Sequence[str] | None:
        """Return the shortest winning actions where the world shows a table of its certain transitions.

        That is the case of the toy worlds with a `P` (FrozenLake without slipping, Taxi); elsewhere
        None. What was found is replayed before it is told.
        """
        if not isinstance(task.reference, int) or not hasattr(self.inner.unwrapped, "P"):
            return None
        world = self.clone()
        try:
            state, _ = world.inner.reset(seed=task.reference)
            plan = _shortest(world.inner.unwrapped.P, state)  # type: ignore[attr-defined]
            if plan is None:
                return None
            names = [world.action_names[action] for action in plan]
            world.reset(seed=0, options={"task": task})
            *_, info = [world.step(name)[4] for name in names if not world._over]
        finally:
            world.close()
        verdict = info.get("verdict")
        return names if isinstance(verdict, Verdict) and verdict.status is Status.CORRECT else None

    def sample_action(self, generator: np.random.Generator) -> str:
        """Draw the name of an action."""
        return self.action_names[int(generator.integers(len(self.action_names)))]

    def clone(self) -> "TextWorld":
        """Return an independent instance with a world of its own."""
        twin = super().clone()
        assert isinstance(twin, TextWorld)
        twin.inner = twin._built()
        twin._over = True
        return twin

    def close(self) -> None:
        """Close the world."""
        self.inner.close()


def _policy(illegal: str) -> tuple[int, bool]:
    """Return how many retries an episode has, and whether a random action is played instead."""
    if illegal in ("lose", "random"):
        return 0, illegal == "random"
    match = re.fullmatch(r"retry:([0-9]{1,6})", illegal)
    if match is None:
        raise UsageError(f"illegal must be 'lose', 'random' or 'retry:N' with a number N, got {illegal!r}.")
    return int(match[1]), False


def _shortest(table: Any, start: Any) -> list[int] | None:
    """Search breadth first for the fewest actions that end the episode with a reward that is the best on offer."""
    best = max(reward for moves in table.values() for ways in moves.values() for _, _, reward, _ in ways)
    came_from: dict[Any, tuple[Any, int] | None] = {start: None}
    queue = deque([start])
    while queue and len(came_from) < _SEARCHED_STATES:
        state = queue.popleft()
        for action, ways in table[state].items():
            if len(ways) != 1:
                return None
            _, after, reward, ended = ways[0]
            if ended and reward >= best:
                plan = [action]
                while (step := came_from[state]) is not None:
                    state, action = step
                    plan.append(action)
                return plan[::-1]
            if not ended and after not in came_from:
                came_from[after] = (state, action)
                queue.append(after)
    return None
