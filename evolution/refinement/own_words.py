"""Refine what was said by one who was told something: what only quotes it, or never came to an end, is left out."""

from collections.abc import Sequence
from dataclasses import dataclass

from palaestra.agents.episode import Episode
from palaestra.agents.language import LanguageAgent
from palaestra.agents.policy import FinishReason
from palaestra.envs.errors import UsageError
from palaestra.envs.text_env import TOLD
from palaestra.evolution.yard import Yard
from transformers import PreTrainedTokenizerBase

__all__ = ["KeepFinished", "KeepUnquoted"]


@dataclass(frozen=True)
class KeepFinished:
    """Keep episodes none of whose replies was cut off by the limit of tokens."""

    def __call__(self, episodes: Sequence[Episode]) -> list[Episode]:
        """Return those episodes, in order."""
        return [e for e in episodes if all(turn.finish is not FinishReason.LENGTH for turn in e.turns)]


@dataclass(frozen=True)
class KeepUnquoted:
    """Leave out what quotes that which was told: so many words in a row that stood before the task and not in it.

    Who imitated it would speak of rules that nobody has told. Episodes that were told nothing, by their task, stay.

    Attributes:
        words: How many words in a row are a quotation.
    """

    words: int = 8

    def __post_init__(self) -> None:
        if self.words < 1:
            raise UsageError(f"words must be at least 1, got {self.words}.")

    def at(self, yard: Yard, step: int) -> "_Unquoted":
        """Return the part for the agent of a run.

        Raises:
            UsageError: If the agent has no policy whose tokens could be read.
        """
        del step
        agent = yard.rollout.agent
        if agent.policy is None:
            raise UsageError(f"What {agent.name} was told cannot be read: it has no tokenizer.")
        always = agent.system if isinstance(agent, LanguageAgent) else ""
        return _Unquoted(self.words, agent.policy.tokenizer, always)


@dataclass(frozen=True)
class _Unquoted:
    words: int
    tokenizer: PreTrainedTokenizerBase
    always: str

    def __call__(self, episodes: Sequence[Episode]) -> list[Episode]:
        """Return the episodes that quote nothing, in order."""
        return [episode for episode in episodes if not (episode.task.endswith(TOLD) and self._quotes(episode))]

    def _quotes(self, episode: Episode) -> bool:
        if not episode.turns:
            return False
        first = episode.turns[0]
        read = str(self.tokenizer.decode(first.context_ids.tolist(), skip_special_tokens=True))
        only_told = self._runs(read) - self._runs(first.observation) - self._runs(self.always)
        return any(only_told & self._runs(turn.reply) for turn in episode.turns)

    def _runs(self, text: str) -> set[tuple[str, ...]]:
        said = text.lower().split()
        return {tuple(said[start : start + self.words]) for start in range(len(said) - self.words + 1)}
