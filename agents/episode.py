"""What was lived through: turns and episodes, down to token ids, frozen once recorded."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np
from palaestra.agents.policy import FinishReason, FloatArray, IntArray
from palaestra.envs.verdict import Status, Verdict

__all__ = ["NO_FLOATS", "NO_IDS", "Episode", "TokenRow", "Turn"]

NO_IDS: IntArray = np.zeros(0, np.int32)
NO_FLOATS: FloatArray = np.zeros(0, np.float32)
for _empty in (NO_IDS, NO_FLOATS):
    _empty.flags.writeable = False


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """One exchange: the world spoke, the agent replied, the world answered with a reward.

    An agent's use of a tool is a turn too, of reward 0 and without a verdict; the next turn observes its output.

    Attributes:
        observation: What the world, or the tool used in the turn before, said.
        reply: What the agent said, whole.
        action: What was given to the world or the tool (parsed from the reply).
        reward: What the world paid for it.
        verdict: What a judge said of it, where one did.
        context_ids: `[C]` ids that stood before the reply and that no earlier turn of the same row holds: the whole
            context when `continues` is false, only what was appended since the last reply when it is true.
            Empty for an agent without tokens.
        continues: Whether this turn's row is the previous turn's row, extended.
        reply_ids: `[T]` ids as sampled.
        logprobs: `[T]` log-probabilities in nats as sampled, see `Sample`; empty for a reply that nobody sampled, and
            nan where the ids were sampled in another context. Nothing recorded is nan.
        finish: Why sampling ended; None for an agent without tokens.
        versions: `[T]` versions of the weights as sampled, see `Sample`; empty for a reply that nobody sampled.
        policy_seconds: Wall-clock from asking the policy to having its reply.
        env_seconds: Wall-clock of the world's step or the tool's work.
    """

    observation: str
    reply: str
    action: str
    reward: float
    verdict: Verdict | None = None
    context_ids: IntArray = field(default_factory=lambda: NO_IDS)
    continues: bool = False
    reply_ids: IntArray = field(default_factory=lambda: NO_IDS)
    logprobs: FloatArray = field(default_factory=lambda: NO_FLOATS)
    finish: FinishReason | None = None
    versions: IntArray = field(default_factory=lambda: NO_IDS)
    policy_seconds: float = 0.0
    env_seconds: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class TokenRow:
    """One row a trainer can learn from: ids that stood in one context window.

    Attributes:
        ids: `[L]` token ids.
        turn: `[L]` index of the turn that sampled each id, -1 where the id was not sampled (the loss mask is
            `turn >= 0`). Ids of an earlier reply in a rewritten context count as not sampled.
        logprobs: `[L]` log-probabilities as sampled, 0 where not sampled or shown in a demonstration.
    """

    ids: IntArray
    turn: IntArray
    logprobs: FloatArray

    @property
    def prompt_length(self) -> int:
        """Number of ids before the first sampled one."""
        return int(np.argmax(self.turn >= 0)) if bool((self.turn >= 0).any()) else len(self.ids)


@dataclass(frozen=True, slots=True, eq=False)
class Episode:
    """One life in one world, from reset to its end.

    Attributes:
        id: Unique within a run.
        env: Spec of the environment.
        task: Id of the task.
        fingerprint: The task's content hash; the held-out split is enforced on it.
        group: Episodes of one group played the same task; of what versions, their turns say.
        attempt: Number within the group, from 0.
        seed: Seed of the episode: environment and sampling derive from it.
        policy: Name of the agent that played.
        turns: What happened.
        verdict: The last verdict; for a world without a judge, one made of the return. For an episode that our own
            machinery broke, of status INFRASTRUCTURE.
        truncated: Whether the world cut the episode short.
        seconds: Wall-clock from reset to end.
    """

    id: str
    env: str
    task: str
    fingerprint: str
    group: str
    attempt: int
    seed: int
    policy: str
    turns: tuple[Turn, ...]
    verdict: Verdict
    truncated: bool = False
    seconds: float = 0.0

    @property
    def valid(self) -> bool:
        """Whether this episode may be learned from and counted; a failure is never a reward."""
        return self.verdict.valid

    @property
    def reward(self) -> float:
        """Sum of the turns' rewards; means nothing for an invalid episode."""
        return float(sum(turn.reward for turn in self.turns))

    @property
    def correct(self) -> bool:
        """Whether the last verdict says the task was done."""
        return self.verdict.status is Status.CORRECT

    @property
    def tokens(self) -> int:
        """How many tokens were sampled."""
        return sum(len(turn.reply_ids) for turn in self.turns)

    @property
    def demonstrated(self) -> bool:
        """Whether something in it was shown, not sampled, so that no policy's log-probabilities of it are known."""
        return any(len(turn.logprobs) < len(turn.reply_ids) for turn in self.turns)

    def rows(self) -> list[TokenRow]:
        """Return the rows to train on: one for an append-only conversation, one a turn where context was rewritten."""
        groups: list[list[int]] = []
        for index, turn in enumerate(self.turns):
            if len(turn.reply_ids) == 0:
                continue
            if turn.continues and groups:
                groups[-1].append(index)
            else:
                groups.append([index])
        return [self._row(group) for group in groups]

    def _row(self, group: Sequence[int]) -> TokenRow:
        ids: list[IntArray] = []
        turns: list[IntArray] = []
        logprobs: list[FloatArray] = []
        for index in group:
            turn = self.turns[index]
            ids += [turn.context_ids, turn.reply_ids]
            turns += [np.full(len(turn.context_ids), -1, np.int32), np.full(len(turn.reply_ids), index, np.int32)]
            shown = np.zeros(len(turn.reply_ids) - len(turn.logprobs), np.float32)
            logprobs += [np.zeros(len(turn.context_ids), np.float32), turn.logprobs, shown]
        return TokenRow(np.concatenate(ids), np.concatenate(turns), np.concatenate(logprobs))

    def digest(self) -> str:
        """32 hex digits over everything but wall-clock times: equal digests are equal episodes."""
        content = blake2b(digest_size=16)
        head = (self.id, self.env, self.task, self.fingerprint, self.group, self.attempt, self.seed, self.policy)
        content.update(repr((head, self.truncated, self.verdict)).encode())
        for t in self.turns:
            words = (t.observation, t.reply, t.action, t.reward, t.verdict, t.continues, t.finish)
            content.update(repr(words).encode())
            for array in (t.context_ids, t.reply_ids, t.logprobs, t.versions):
                content.update(array.tobytes() + b"\x1e")
        return content.hexdigest()
