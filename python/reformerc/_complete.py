"""Several prompts at once, and beam search."""

import ctypes as c
from collections.abc import Sequence
from typing import NamedTuple, Union

import numpy as np

from ._abi import NEVER_EARLY, Beams, Code, Generate, Sampling
from ._arrays import Array, ArrayLike, address, rows_of_ids, whole
from ._context import advice
from ._errors import InputError
from ._generate import Cache, check_generates, fault
from ._library import lib
from ._model import Model
from ._text import Codec, codec_of

_EARLY = {False: 0, True: 1, "never": NEVER_EARLY}


class Search(NamedTuple):
    """Of beams."""

    beams: int
    length_penalty: float
    early_stopping: Union[bool, str]


class _Request:
    """reformer_generate_t of some rows, and the arrays that it points to."""

    def __init__(
        self, model: Model, prompts: list[Array], tokens: int, sampling: Sampling, eos: bool
    ) -> None:
        rows, longest = len(prompts), max(p.size for p in prompts)
        self.ids = np.zeros((rows, longest), np.int32)
        self.mask = np.zeros((rows, longest), np.uint8)
        for row, prompt in enumerate(prompts):
            self.ids[row, longest - prompt.size :] = prompt
            self.mask[row, longest - prompt.size :] = 1
        self.tokens = np.zeros((rows, tokens), np.int32)
        self.counts = np.zeros(rows, np.uintp)
        ends = [token for token in model.end_tokens if token < model.vocab] if eos else []
        self.ends = np.array(ends, np.int32)
        self.g = Generate(batch=rows, length=longest, max_tokens=tokens)
        self.g.sampling = c.pointer(sampling)
        self.g.input_ids, self.g.attention_mask = address(self.ids), address(self.mask)
        self.g.tokens, self.g.counts = address(self.tokens), address(self.counts)
        self.g.eos_tokens, self.g.n_eos_tokens = address(self.ends), len(ends)
        self.g.stop_at_eos, self.g.pad_token = bool(ends), model.pad_token

    def rows(self) -> list[Array]:
        return [row[: int(n)] for row, n in zip(self.tokens, self.counts)]


def _write(cache: Cache, request: _Request, search: Search) -> list[Array]:
    with cache._lock, cache._model._reading():
        handle = cache._open()
        if search.beams == 1:
            code = lib.reformerc_generate(handle, c.byref(request.g))
        else:
            b = Beams(beams=search.beams, length_penalty=search.length_penalty)
            b.early_stopping = _EARLY[search.early_stopping]
            code = lib.reformerc_beam_search(handle, c.byref(request.g), c.byref(b))
        cache._context.check(code, fault(code, request.ids, cache._model.vocab))
    return request.rows()


def _check(model: Model, prompts: Sequence[object], tokens: int, search: Search) -> None:
    check_generates(model)
    whole(tokens, "tokens", 1, model.positions)
    if whole(search.beams, "beams", 1, 2**31 - 1) > model.batch:
        raise InputError(f"beams: {search.beams} rows of {model.batch}{advice(Code.BATCH)}")
    if search.early_stopping not in _EARLY:
        raise InputError(f"early_stopping: {search.early_stopping!r} is no False, True or 'never'")
    if isinstance(prompts, str) or not len(prompts):
        raise InputError("prompts: a list of them")


def complete_ids(
    model: Model,
    prompts: Sequence[ArrayLike],
    tokens: int,
    sampling: Sampling,
    stop_at_eos: bool,
    search: Search,
) -> list[Array]:
    """Model.complete_ids"""
    _check(model, prompts, tokens, search)
    rows = [rows_of_ids(prompt, "prompts") for prompt in prompts]
    if any(len(row) != 1 for row in rows):
        raise InputError("prompts: a list of rows of ids")
    ids = [row[0] for row in rows]
    longest = max(row.size for row in ids)
    written: list[Array] = []
    groups = [ids] if search.beams == 1 else [[row] for row in ids]
    with model.cache(min(longest + tokens - 1, model.positions), longest) as cache:
        for group in groups:
            request = _Request(model, group, tokens, sampling, stop_at_eos)
            written += _write(cache, request, search)
    return written


def complete(
    model: Model,
    prompts: Sequence[str],
    tokens: int,
    sampling: Sampling,
    stop_at_eos: bool,
    search: Search,
) -> list[str]:
    """Model.complete"""
    _check(model, prompts, tokens, search)
    if not all(isinstance(prompt, str) and prompt for prompt in prompts):
        raise InputError("prompts: texts that are not empty")
    codec = codec_of(model.text)
    ids = [codec.encode(prompt) for prompt in prompts]
    rows = complete_ids(model, ids, tokens, sampling, stop_at_eos, search)
    ends = frozenset(model.end_tokens) if stop_at_eos else frozenset()
    return [_text_of(codec, prompt, row.tolist(), ends) for prompt, row in zip(ids, rows)]


def _text_of(codec: Codec, prompt: list[int], tokens: list[int], ends: frozenset[int]) -> str:
    reader = codec.reader(prompt)
    pieces = [reader.feed(token) for token in tokens if token not in ends]
    return "".join(pieces) + reader.finish()
