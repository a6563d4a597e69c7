"""Independent random streams, each named by where it is used; nothing seeds globally."""

from hashlib import blake2b

import numpy as np

__all__ = ["derive_generator", "derive_seed"]


def derive_seed(seed: int, *keys: int | str) -> int:
    """Name a stream: the same seed and keys give the same number on every machine.

    Args:
        seed: The seed of the whole, such as a run's.
        *keys: The path to the use, such as `("acquire", step, task_id, attempt)`.

    Returns:
        An integer in `[0, 2**63)`, independent of every other path's.
    """
    path = "\x1f".join([str(seed), *(_escaped(f"{type(key).__name__}:{key}") for key in keys)])
    return int.from_bytes(blake2b(path.encode(errors="surrogatepass"), digest_size=8).digest(), "big") >> 1


def _escaped(key: str) -> str:
    """Keep a separator inside a key from reading like the end of the key."""
    return key.replace("\x1e", "\x1e\x1e").replace("\x1f", "\x1e\x1f")


def derive_generator(seed: int, *keys: int | str) -> np.random.Generator:
    """Return the generator of the stream that `derive_seed` names."""
    return np.random.Generator(np.random.PCG64(derive_seed(seed, *keys)))
