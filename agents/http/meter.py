"""What asking a server has cost."""

from dataclasses import asdict, dataclass
from typing import Any, Protocol, runtime_checkable

from palaestra.envs.errors import RefusedError

__all__ = ["Meter", "Metered", "Usage"]

_MILLION = 1_000_000


@dataclass(frozen=True)
class Usage:
    """What was asked of a server in this process, and what it cost.

    Attributes:
        requests: Requests that were sent, with those that failed.
        retries: How many of them were further tries.
        answers: Answers that came whole.
        failed: Questions that were given up.
        prompt_tokens: Tokens of the prompts, as the server counts them.
        completion_tokens: Tokens of the answers, as the server counts them.
        seconds: Time that the requests were open, added up.
        spend: Price of the answers; None without prices. What a server charges for requests that failed is not in it.
        budget: What may be spent.
    """

    requests: int = 0
    retries: int = 0
    answers: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    spend: float | None = None
    budget: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    def __str__(self) -> str:
        """Return one line for people."""
        parts = [f"{self.requests:,} requests"]
        if self.retries or self.failed:
            parts[0] += f" ({self.retries:,} retried, {self.failed:,} given up)"
        parts.append(f"{self.prompt_tokens:,} + {self.completion_tokens:,} tokens")
        parts.append(f"{self.seconds / max(1, self.requests):.2f} s each")
        if self.spend is not None:
            parts.append(f"spent {self.spend:.6g}" + (f" of {self.budget:g}" if self.budget is not None else ""))
        return ", ".join(parts)


@runtime_checkable
class Metered(Protocol):
    """An agent that counts what it costs."""

    @property
    def usage(self) -> Usage:
        """What it has cost so far."""
        ...


class Meter:
    """Counts; all changes come from one thread, any may read.

    Args:
        price_in: Price of a million prompt tokens.
        price_out: Price of a million completion tokens.
        budget: What may be spent.
    """

    def __init__(
        self, price_in: float | None = None, price_out: float | None = None, budget: float | None = None
    ) -> None:
        self._prices = None if price_in is None or price_out is None else (price_in, price_out)
        self.budget = budget
        self.requests = self.retries = self.answers = self.failed = 0
        self.prompt_tokens = self.completion_tokens = 0
        self.seconds = 0.0

    @property
    def spend(self) -> float | None:
        """What the answers cost; None without prices."""
        if self._prices is None:
            return None
        price_in, price_out = self._prices
        return (self.prompt_tokens * price_in + self.completion_tokens * price_out) / _MILLION

    def read(self) -> Usage:
        """Return the counts as they stand."""
        return Usage(
            self.requests,
            self.retries,
            self.answers,
            self.failed,
            self.prompt_tokens,
            self.completion_tokens,
            self.seconds,
            self.spend,
            self.budget,
        )

    def sent(self, seconds: float, *, again: bool) -> None:
        """Count a request that is over, whatever came of it."""
        self.requests += 1
        self.retries += again
        self.seconds += seconds

    def answered(self, tokens: tuple[int, int] | None) -> None:
        """Count a whole answer.

        Args:
            tokens: Of prompt and answer, as the server counts them; None where it does not.

        Raises:
            RefusedError: If there is a budget and the server does not say what it is spent on.
        """
        self.answers += 1
        if tokens is None:
            if self.budget is not None:
                raise RefusedError("The server does not say how many tokens it used, so no budget can be kept with it.")
            return
        self.prompt_tokens += tokens[0]
        self.completion_tokens += tokens[1]

    def refuse_beyond_budget(self) -> None:
        """Raise `RefusedError` when the budget is spent; requests already under way are still paid for."""
        spend = self.spend
        if self.budget is not None and spend is not None and spend >= self.budget:
            raise RefusedError(
                f"The budget of {self.budget:g} is spent ({spend:.6g} for {self.answers:,} answers); nothing more is "
                "asked. Give a larger budget, or ask for less."
            )
