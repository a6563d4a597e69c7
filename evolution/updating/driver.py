"""Drives a trainer of transformers one optimiser step at a time, and leaves no trace between steps.

`Trainer.train()` owns its loop and its data. Here the loop is ours, so the trainer is used in parts: its optimiser,
scheduler, precision and loss. A trainer also hangs things on the model it is given (a forward that computes the loss
without logits, casts to lower precision). They are put on for a step and taken off after it, so that sampling and
copying the model between steps meet the model as it was.

One device a process. Where several processes train together (see `peers`), the trainer of each sees its own rows alone;
what they have to do with each other is done here. Where they divide the weights (see `division`), the first process
trains its part of a copy, and its policy's model, which plays and is saved, is given the whole weights after each step.
Where DeepSpeed's engine takes the steps (see `zero`), what is done with gradients and the optimiser is done there.
"""

import copy
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from palaestra.envs.errors import InfrastructureError, RunError
from palaestra.envs.seeding import derive_seed
from palaestra.evolution.updating.alone import Alone
from palaestra.evolution.updating.batching import Batch, Inputs, Rows
from palaestra.evolution.updating.division import divided_alike, gathered
from palaestra.evolution.updating.updater import Beginning, Trainable
from palaestra.evolution.updating.zero import Zero
from transformers import PreTrainedModel, PrinterCallback

__all__ = ["Driver", "Part", "Piece", "Taken", "means"]

# What a trainer sets on a model itself; see the module.
_WORN = ("forward", "_original_forward", "_is_accelerate_prepared")
# Where DeepSpeed's engine keeps its parts of an optimiser.
_ENGINE = "deepspeed"


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the rows of an optimiser step, as many as go through the model at once.

    Attributes:
        inputs: Tensors for the trainer's loss.
        share: This part's share of the step's rows, in (0, 1]; 0 for one that only keeps the others company.
        items: Sampled tokens of the whole step, by which the loss is divided; more, for a part that counts less.
    """

    inputs: Inputs
    share: float
    items: float


class Piece(NamedTuple):
    """Rows that go through the model at once.

    Attributes:
        rows: Their indices.
        sampled: Whether they are to be learned from, not just run because other processes run some.
    """

    rows: Rows
    sampled: bool


class Taken(NamedTuple):
    """One optimiser step, taken.

    Attributes:
        loss: Loss before it.
        grad_norm: Norm of the gradient before clipping.
        learning_rate: The rate it was taken at.
    """

    loss: float
    grad_norm: float
    learning_rate: float


def means(taken: Sequence[Taken]) -> dict[str, float]:
    """Return the mean of each figure over the optimiser steps of an update; zeros for one that took none."""
    return {name: float(np.mean([getattr(t, name) for t in taken])) if taken else 0.0 for name in Taken._fields}


class Driver:
    """A trainer in parts.

    Args:
        build: Makes the trainer of the model it is given.
        policy: The policy to train.
        beginning: With the seed of everything random in training (dropout), and the processes that train together, of
            which every one calls the same methods in the same order.
        optimiser_steps: How many are planned, for the learning rate's schedule.
    """

    def __init__(
        self,
        build: Callable[[PreTrainedModel], Any],
        policy: Trainable,
        beginning: Beginning,
        *,
        optimiser_steps: int,
    ) -> None:
        self.peers = beginning.peers
        self._policy = policy
        # The first process's policy plays with whole weights; those of the others do nothing else than train.
        apart = self.peers.division is not None and self.peers.leads
        self.model = copy.deepcopy(policy.model) if apart else policy.model
        self._seed = beginning.seed
        self._zero: Zero | None = None
        base = getattr(self.model, "get_base_model", None)
        self._modules = [self.model] if base is None else [self.model, base()]
        self._plain = [_worn(module) for module in self._modules]
        mode = self.model.training
        try:
            with _own_randomness(self._seed):
                self.trainer = build(self.model)
                self._prepare(optimiser_steps)
            self._training = [_worn(module) for module in self._modules]
        finally:
            self._wear(self._plain)
            self.model.train(mode)

    def _prepare(self, optimiser_steps: int) -> None:
        trainer = self.trainer
        trainer.remove_callback(PrinterCallback)
        if self.peers.division is not None:
            self.peers.division.divide(self.model)
        trainer.create_optimizer()
        accelerator = trainer.accelerator
        # As for evaluation, where it adds precision and device and no wrapper that would average gradients.
        accelerator.prepare_model(trainer.model, evaluation_mode=True)
        trainer.optimizer = accelerator.prepare_optimizer(trainer.optimizer)
        if self.peers.size > 1:
            if self.peers.zero is not None:
                self._zero = Zero(trainer, self.peers.zero, self.peers.size)
                # The engine drops them, and the schedule would miss them.
                groups = trainer.optimizer.param_groups
                groups[:] = [group for group in groups if group["params"]]
            trainer.accelerator = Alone(accelerator, self._zero)
        trainer.create_scheduler(optimiser_steps, trainer.optimizer)
        trainer.state.max_steps = optimiser_steps
        for name in ("optimizer", "lr_scheduler"):
            setattr(trainer.callback_handler, name, getattr(trainer, name))
        trainer.control = trainer.callback_handler.on_train_begin(trainer.args, trainer.state, trainer.control)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.device

    @contextmanager
    def training(self, *keys: int | str) -> Iterator[None]:
        """Dress the model for training; randomness inside derives from the seed and these keys alone."""
        mode = self.model.training
        self._wear(self._training)
        # Rows of different processes drop out differently.
        keys = keys if self.peers.leads else (*keys, "process", self.peers.rank)
        if self._zero is not None:
            with self.peers.running():
                self._zero.begin()
        try:
            with _own_randomness(derive_seed(self._seed, *keys)):
                yield
        finally:
            self._wear(self._plain)
            self.model.train(mode)
        if self.peers.division is not None:
            self._hand_over()

    def _hand_over(self) -> None:
        """Give the first process's policy the weights that all have trained."""
        whole = dict(self._policy.model.named_parameters()) if self.peers.leads else {}
        with self.peers.running(), torch.no_grad():
            for name, weight in self.model.named_parameters():
                if weight.requires_grad:
                    together = gathered(weight, keep=self.peers.leads)
                    if self.peers.leads:
                        whole[name].copy_(together)

    def take(self, parts: Sequence[Part]) -> Taken:
        """Take one optimiser step on the sum of all processes' parts' losses; call it inside `training`.

        Args:
            parts: This process's; it may have none.

        Raises:
            InfrastructureError: If the gradient is not finite; the weights are not changed.
            PeerError: If another process failed.
        """
        trainer = self.trainer
        losses: list[torch.Tensor] = []
        try:
            with self.peers.running():
                for number, part in enumerate(parts):
                    if self._zero is not None:
                        self._zero.at_end = number == len(parts) - 1
                    if part.share > 0:
                        # The trainer divides a part's loss by this: by the inverse share, unequal parts add up exactly.
                        trainer.current_gradient_accumulation_steps = 1 / part.share
                        losses.append(trainer.training_step(self.model, part.inputs, part.items))
                    else:
                        self._accompany(part)
            self.peers.sum_gradients([weight for weight in self.model.parameters() if weight.requires_grad])
            rate = float(trainer.lr_scheduler.get_last_lr()[0])
            norm = self._clip()
            if not np.isfinite(norm):
                raise InfrastructureError(
                    f"The gradient's norm is {norm} at a learning rate of {rate}; the weights were left as they are. "
                    "Expected a finite norm: lower the learning rate, or start from an earlier checkpoint."
                )
            if self._zero is None:
                trainer.optimizer.step()
            trainer.lr_scheduler.step()
        finally:
            trainer.optimizer.zero_grad()
        trainer.state.global_step += 1
        own = float(torch.stack(losses).sum()) if losses else 0.0
        return Taken(sum(self.peers.collect(own)), norm, rate)

    def _accompany(self, part: Part) -> None:
        """Run a part in which nothing was sampled: its gradient is zero, and its figures are nobody's."""
        measured = self.trainer._metrics["train"]
        kept = {name: list(values) for name, values in measured.items()}
        self.trainer.current_gradient_accumulation_steps = 1
        self.trainer.training_step(self.model, part.inputs, part.items)
        measured.clear()
        measured.update(kept)

    def _clip(self) -> float:
        """Scale the gradient down to the norm allowed, and return the norm it had; an engine also takes the step."""
        trainer = self.trainer
        if self._zero is not None:
            with self.peers.running():
                return self._zero.step()
        if self.peers.division is None:
            return float(trainer.accelerator.clip_grad_norm_(self.model.parameters(), trainer.args.max_grad_norm))
        with self.peers.running():
            norm = trainer.accelerator.clip_grad_norm_(self.model.parameters(), trainer.args.max_grad_norm)
            return float(gathered(norm, keep=True))

    def split(self, batch: Batch, rows: Rows, size: int) -> list[Piece]:
        """Cut those of some rows that are this process's to run through the model into parts of at most `size`.

        Where they run in step, every process has as many parts; those it has too few of are of one row, unsampled.
        """
        pieces = [Piece(some, sampled=True) for some in batch.split(self.peers.own(rows), size)]
        if self.peers.in_step:
            most = -(-len(rows) // self.peers.size)
            pieces += [Piece(rows[:1], sampled=False)] * (-(-most // size) - len(pieces))
        return pieces

    def figures(self) -> dict[str, float]:
        """Return the means of what the trainers measured since last asked; call it inside `training`."""
        measured = self.trainer._metrics["train"]
        everywhere: dict[str, list[float]] = {}
        for own in self.peers.collect({name: list(values) for name, values in measured.items()}):
            for name, values in own.items():
                everywhere.setdefault(name, []).extend(values)
        measured.clear()
        return {name: float(np.nanmean(values)) for name, values in everywhere.items() if values}

    def report(self, metrics: Mapping[str, float]) -> None:
        """Send figures to the trackers; call it inside `training`."""
        self.trainer.log(dict(metrics))

    def forget(self) -> None:
        """Drop what the optimiser remembers of earlier steps, and of the weights."""
        self.trainer.optimizer.optimizer.state.clear()
        if self._zero is not None:
            self._zero.refresh()

    def save(self, path: Path, **more: Any) -> None:
        """Write what a later step depends on: optimiser, schedule, number of steps, and what else is given.

        All processes call it where they run in step; the first one writes, and each its part of an engine's optimiser.
        Before any step it may do so alone.
        """
        # Whole weights are the first process's own to write: nobody else comes here.
        with self.peers.running() if self.peers.in_step else nullcontext():
            if self._zero is None:
                optimizer = gathered(self.trainer.optimizer.state_dict(), keep=self.peers.leads)
            else:
                optimizer = {}
                self._zero.save(path.parent / _ENGINE)
        if self.peers.leads:
            state = {
                "optimizer": optimizer,
                "lr_scheduler": self.trainer.lr_scheduler.state_dict(),
                "global_step": self.trainer.state.global_step,
            }
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.save(state | more, path)

    def load(self, path: Path) -> dict[str, Any]:
        """Continue from what `save` wrote, and return it; tensors that were divided are whole."""
        state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
        if self._zero is not None:
            self._zero.load(path.parent / _ENGINE)
        elif not state["optimizer"]:
            raise RunError(f"{path.parent} was written by processes with DeepSpeed: launch them again to go on.")
        else:
            self._remember(state["optimizer"])
        self.trainer.lr_scheduler.load_state_dict(state["lr_scheduler"])
        self.trainer.state.global_step = state["global_step"]
        return state

    def _remember(self, optimizer: dict[str, Any]) -> None:
        """Give the optimiser what it had."""
        weights = [weight for group in self.trainer.optimizer.param_groups for weight in group["params"]]
        for number, memory in optimizer["state"].items():
            for name, value in memory.items():
                if torch.is_tensor(value) and value.shape == weights[number].shape:
                    memory[name] = divided_alike(value, weights[number])
        self.trainer.optimizer.load_state_dict(optimizer)

    def _wear(self, attire: Sequence[Mapping[str, Any]]) -> None:
        for module, worn in zip(self._modules, attire, strict=True):
            for name in _WORN:
                module.__dict__.pop(name, None)
            module.__dict__.update(worn)


def _worn(module: torch.nn.Module) -> dict[str, Any]:
    return {name: module.__dict__[name] for name in _WORN if name in module.__dict__}


@contextmanager
def _own_randomness(seed: int) -> Iterator[None]:
    """Seed the global generators that trainers use, and give everyone theirs back afterwards."""
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002
