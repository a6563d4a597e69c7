"""How vLLM learns that a reply has come to hold a stop string: by the rule of `palaestra.agents.stopping`.

vLLM's own detokenizer continues the text of the context, leaves special tokens out, and would need a tokenizer of its
own; the same reply would end elsewhere than with a local policy.
"""

from palaestra.agents.stopping import StopStrings
from vllm.v1.engine.detokenizer import IncrementalDetokenizer

__all__ = ["Listener"]


class Listener(IncrementalDetokenizer):  # type: ignore[misc]  # vLLM is not installed where types are checked
    """Stands where vLLM's output processor has a request's detokenizer.

    Args:
        strings: What ends the reply.
    """

    def __init__(self, strings: StopStrings) -> None:
        super().__init__()
        self._strings = strings

    def update(self, new_token_ids: list[int], stop_terminated: bool) -> str | None:
        """Note tokens; return something when the reply ends with them.

        Args:
            new_token_ids: One, because no tokens are guessed ahead here.
            stop_terminated: Whether an end-of-turn token ended the reply.
        """
        super().update(new_token_ids, stop_terminated)
        ended = bool(new_token_ids) and not stop_terminated and self._strings.end(self.token_ids)
        return "stop string" if ended else None
