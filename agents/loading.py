"""What is said where a model cannot be loaded."""

from palaestra.envs.errors import UsageError

__all__ = ["cannot_load"]


def cannot_load(source: str, error: Exception, remedy: str) -> UsageError:
    """Return what to tell a person.

    Args:
        source: The directory or id.
        error: What transformers says.
        remedy: What to do about code that comes with a model and was not run.
    """
    reason = str(error).strip().split("\n")[0]
    if "custom code" in reason:
        return UsageError(
            f"{source!r} comes with Python code of its own, which was not run: it could do anything that you can do. "
            f"{remedy}"
        )
    return UsageError(
        f"Cannot load a causal language model from {source!r}: {reason} Expected a directory that transformers or peft "
        "wrote (configuration, safetensors, tokenizer), or an id of the Hugging Face hub, which needs a network or an "
        "earlier download."
    )
