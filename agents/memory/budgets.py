"""How much may be remembered, in tokens."""

from dataclasses import dataclass

from palaestra.agents.memory.entry import Kind

__all__ = ["Budgets", "rough_tokens"]


def rough_tokens(text: str) -> int:
    """Return about how many tokens a text has, where there is no tokenizer to count them: a quarter of its letters."""
    return -(-len(text) // 4)


@dataclass(frozen=True)
class Budgets:
    """Most tokens of all entries of a kind together; 0 is no limit."""

    episode: int = 0
    insight: int = 0
    skill: int = 0

    def of(self, kind: Kind) -> int:
        """Return the budget of a kind."""
        budget: int = getattr(self, kind.value)
        return budget
