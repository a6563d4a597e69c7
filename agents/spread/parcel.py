"""What travels between machines, as bytes: a policy, its weights, and an agent without either."""

import io
import pickle
import tarfile
import tempfile
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from palaestra.agents.local import LocalPolicy
from palaestra.agents.policy import Policy
from palaestra.agents.twin import trained_weights
from palaestra.envs.errors import SynchronisationError

__all__ = ["Saved", "Weights", "digest_of", "pack", "pack_weights", "put", "save_policy", "unpack", "unsave"]

# Memory that is shared between processes is bytes; not every type of number is known to NumPy.
Packed = tuple[NDArray[np.uint8], str, tuple[int, ...]]


class Saved(NamedTuple):
    """A local policy.

    Attributes:
        archive: The files that `LocalPolicy.save` wrote, as a tar archive.
        name: Its name.
        version: Its version.
        batch_bytes: Memory for one batch.
        trust_remote_code: Whether code that came with it may be run, see `LocalPolicy`.
        digest: Of all its weights, also those that are not trained and may come from elsewhere.
    """

    archive: bytes
    name: str
    version: int
    batch_bytes: int
    trust_remote_code: bool
    digest: str


class Weights(NamedTuple):
    """The weights of a policy that training changes.

    Attributes:
        arrays: By the name of the parameter: bytes, type and shape.
        version: Their version.
        digest: Of the weights themselves.
    """

    arrays: dict[str, Packed]
    version: int
    digest: str


def digest_of(weights: Mapping[str, torch.Tensor]) -> str:
    """32 hex digits over names, types, shapes and bits."""
    content = blake2b(digest_size=16)
    for name in sorted(weights):
        array, kind, shape = _packed(weights[name])
        content.update(f"{name}\x1f{kind}\x1f{shape}\x1e".encode())
        content.update(array.data)
    return content.hexdigest()


def save_policy(policy: LocalPolicy) -> Saved:
    """Return a policy as it is now."""
    buffer = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        policy.save(folder)
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            archive.add(folder, arcname=".")
    digest = digest_of(dict(policy.model.named_parameters()))
    return Saved(buffer.getvalue(), policy.name, policy.version, policy.batch_bytes, policy.trust_remote_code, digest)


def unsave(saved: Saved) -> LocalPolicy:
    """Load a policy, with numbers of the types that the trainer computes with.

    Raises:
        SynchronisationError: If it has other weights than the original.
    """
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(saved.archive)) as archive:
            archive.extractall(folder, filter="data")
        policy = LocalPolicy.load(Path(folder), trainable=True, trust_remote_code=saved.trust_remote_code)
    policy.name, policy.version, policy.batch_bytes = saved.name, saved.version, saved.batch_bytes
    if digest_of(dict(policy.model.named_parameters())) != saved.digest:
        raise SynchronisationError(
            f"{saved.name}, loaded on another machine, has other weights than the policy that learns. Either its base "
            "model is another one there, or a GPU here and none there (or the reverse) makes them of other types."
        )
    return policy


def pack_weights(policy: LocalPolicy) -> Weights:
    """Return the trained weights of a policy; on the processor the arrays are views of its own."""
    trained = trained_weights(policy.model)
    return Weights({name: _packed(weight) for name, weight in trained.items()}, policy.version, digest_of(trained))


def put(weights: Weights, policy: LocalPolicy) -> None:
    """Give a policy other weights.

    Raises:
        SynchronisationError: If what it has then is not what was sent.
    """
    own = trained_weights(policy.model)
    if set(own) == set(weights.arrays):
        for name, (array, kind, shape) in weights.arrays.items():
            # Shared memory is read-only, which torch does not know of.
            sent = torch.from_numpy(array.copy()).view(getattr(torch, kind)).reshape(shape)
            own[name].copy_(sent)
        policy.version = weights.version
    if digest_of(own) != weights.digest:
        raise SynchronisationError(
            f"Weights of version {weights.version} of {policy.name} arrived otherwise than they were sent: expected "
            f"the digest {weights.digest}. Nothing was played with them. Look for machines of different versions of "
            "torch, transformers or Palaestra."
        )


def pack(thing: Any, policy: Policy | None) -> bytes:
    """Return an agent as bytes, without its policy and that one's tokenizer: these are where it goes."""
    from ray import cloudpickle

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # ray has no types here
        def persistent_id(self, found: Any) -> str | None:
            if policy is None:
                return None
            return "policy" if found is policy else "tokenizer" if found is policy.tokenizer else None

    buffer = io.BytesIO()
    Pickler(buffer).dump(thing)
    return buffer.getvalue()


def unpack(packed: bytes, policy: Policy | None) -> Any:
    """Return what was packed, with another policy in the place of the one left out."""

    class Unpickler(pickle.Unpickler):
        def persistent_load(self, pid: str) -> Any:
            return policy if pid == "policy" or policy is None else policy.tokenizer

    return Unpickler(io.BytesIO(packed)).load()


def _packed(weight: torch.Tensor) -> Packed:
    plain = weight.detach().cpu().contiguous()
    return plain.reshape(-1).view(torch.uint8).numpy(), str(plain.dtype).removeprefix("torch."), tuple(plain.shape)
