"""A model that learns: steps, and what it has learnt and keeps."""

import ctypes as c
import weakref
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Optional, Union

import numpy as np

from ._abi import Code, Io, Tensor, TrainReport
from ._arrays import Floats, whole
from ._batch import Batch
from ._errors import InputError
from ._library import lib

if TYPE_CHECKING:
    from ._context import Context
    from ._model import Model


class Report(NamedTuple):
    """Of one step."""

    loss: float  #: the mean over all its labels, of the weights before it
    grad_norm: float  #: before it is clipped
    learning_rate: float
    items: int  #: labels that counted
    step: int  #: its number, from 0


class _View:
    """An array of a trainer, which it looks at and keeps from being freed."""

    def __init__(self, model: "Model", tensor: Tensor, data: int) -> None:
        self.model = model
        self.__array_interface__ = {
            "version": 3,
            "typestr": "<f4",
            "shape": tuple(tensor.shape[: tensor.rank]),
            "data": (data, False),
        }


class Learner:
    """The library's trainer and its context; the model's, and freed with it."""

    def __init__(self, context: "Context") -> None:
        self.context = context
        self.handle = c.c_void_p()
        self.views: "weakref.WeakSet[_View]" = weakref.WeakSet()
        code = lib.reformerc_trainer_new(c.byref(self.handle), context.handle)
        try:
            context.check(code)
        except BaseException:
            context.close()
            raise

    def free(self) -> None:
        if len(self.views):
            raise BufferError("arrays of a trainer are still in use: copy them, and let them go")
        lib.reformerc_trainer_free(self.handle)
        self.context.close()


class Trainer:
    """Lets a model learn (Model.trainer). Forwards and generation of the model read what it has learnt.

    A step of one thread waits for calls of others, and they wait for it.
    """

    def __init__(self, model: "Model", learner: Learner) -> None:
        self._model, self._learner = model, learner

    def _open(self) -> Learner:
        """Behind the gate."""
        if self._model._learner is not self._learner:
            raise InputError("the trainer is closed")
        return self._learner

    def step(self, *batches: Batch) -> Report:
        """One step by the rule of the spec's `train:`, of the mean loss over the labels of all batches; after an error weights
        are what they were. A gradient with a NaN or an infinity is an Error with code REFORMER_E_DIVERGED."""
        if not batches:
            raise InputError("a step of no batch")
        if not all(batch.has_labels for batch in batches):
            raise InputError("a step of a batch without labels")
        model, report = self._model, TrainReport()
        ios = [batch.io(model.head, model.labels) for batch in batches]
        array = (Io * len(ios))(*ios)
        with model._writing():
            learner = self._open()
            code = lib.reformerc_train_step(learner.handle, array, len(ios), c.byref(report))
            faults = [batch.fault(code, model.vocab) for batch in batches] if code else []
            learner.context.check(code, next(filter(None, faults), ""))
        del ios
        return Report(
            report.loss, report.grad_norm, report.learning_rate, report.items, report.step
        )

    def _arrays(self) -> "tuple[dict[str, Floats], dict[str, Floats]]":
        weights: dict[str, Floats] = {}
        state: dict[str, Floats] = {}
        tensor, data, i = Tensor(), c.c_void_p(), 0
        with self._model._reading():
            learner = self._open()
            while (
                lib.reformerc_trainer_tensor(learner.handle, i, c.byref(tensor), c.byref(data))
                == Code.OK
            ):
                view = _View(self._model, tensor, data.value or 0)
                learner.views.add(view)
                name: str = tensor.name.decode()
                of_state = name.partition(".")[2] in weights
                (state if of_state else weights)[name] = np.asarray(view)
                i += 1
        return weights, state

    @property
    def weights(self) -> "dict[str, Floats]":
        """What it has learnt, under Hugging Face's names: the trainer's own memory, which the next step changes. Neither
        trainer nor model can be closed while such an array lives."""
        return self._arrays()[0]

    @property
    def state(self) -> "dict[str, Floats]":
        """What the optimiser keeps: "exp_avg.NAME" and the like, as `weights`."""
        return self._arrays()[1]

    def resume(self, step: int) -> None:
        """After weights and state were written: goes on with step number `step`, from 0, to the bit as the trainer did that
        they come from."""
        with self._model._writing():
            learner = self._open()
            learner.context.check(
                lib.reformerc_trainer_resume(learner.handle, whole(step, "step", 0, 2**62))
            )

    def close(self) -> None:
        """Frees it; the model has no weights then, until Model.bind. May be called again."""
        with self._model._gate.writing():
            if self._model._learner is self._learner:
                self._learner.free()
                self._model._learner = None

    def __enter__(self) -> "Trainer":
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        value: Optional[BaseException],
        trace: Union[TracebackType, None],
    ) -> None:
        self.close()
