"""Text and ids, as compile.text of a spec says: bytes (id = byte + 2), or a SentencePiece model."""

import codecs
import importlib
from typing import Any, Protocol, Union

from ._errors import InputError

_OFFSET, _BYTES = 2, 256


class Reader(Protocol):
    """Ids one after the other into text: pieces, whose sum is the text of all of them."""

    def feed(self, token: int) -> str: ...

    def finish(self) -> str: ...


class Codec(Protocol):
    def encode(self, text: str) -> list[int]: ...

    def reader(self, prompt: list[int]) -> Reader: ...


class _ByteReader:
    def __init__(self, prompt: list[int]) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, token: int) -> str:
        if not _OFFSET <= token < _OFFSET + _BYTES:
            return ""
        return self._decoder.decode(bytes([token - _OFFSET]))

    def finish(self) -> str:
        return self._decoder.decode(b"", True)


class Bytes:
    def encode(self, text: str) -> list[int]:
        return [byte + _OFFSET for byte in text.encode("utf-8")]

    def reader(self, prompt: list[int]) -> Reader:
        return _ByteReader(prompt)


class _PieceReader:
    """What an id stands for may depend on those before it, so all of them are read again; a character that is not whole yet
    is kept back."""

    def __init__(self, pieces: Any, prompt: list[int]) -> None:
        self._pieces = pieces
        self._ids = [token for token in prompt if token < pieces.get_piece_size()]
        self._told = len(self._decode())

    def _decode(self) -> str:
        text: str = self._pieces.decode(self._ids)
        return text

    def feed(self, token: int) -> str:
        if 0 <= token < self._pieces.get_piece_size():
            self._ids.append(token)
        text = self._decode()
        whole = text.rstrip("\N{REPLACEMENT CHARACTER}")
        new = whole[self._told :]
        self._told = max(self._told, len(whole))
        return new

    def finish(self) -> str:
        return self._decode()[self._told :]


class SentencePiece:
    def __init__(self, path: str) -> None:
        try:
            sentencepiece = importlib.import_module("sentencepiece")
        except ImportError as problem:
            raise InputError(
                f"the model's text is of SentencePiece: pip install sentencepiece ({problem})"
            ) from problem
        try:
            self._pieces: Any = sentencepiece.SentencePieceProcessor(model_file=path)
        except (OSError, RuntimeError) as problem:
            raise InputError(f"{path}: no SentencePiece model: {problem}") from problem

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self._pieces.encode(text)
        return ids

    def reader(self, prompt: list[int]) -> Reader:
        return _PieceReader(self._pieces, prompt)


def codec_of(kind: Union[str, None]) -> Codec:
    """What reformerc_text() names."""
    if kind == "bytes":
        return Bytes()
    if kind and kind.startswith("sentencepiece:"):
        return SentencePiece(kind.split(":", 1)[1])
    raise InputError(
        "how text becomes ids is unknown: give ids, or say compile.text, 'bytes' or 'sentencepiece:FILE'"
    )


class StopTexts:
    """Holds text back that may become the first of the stop texts, and ends before it."""

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = stops
        self._held = ""
        self.ended = False

    def _open_end(self) -> int:
        """How much of the end may become one."""
        for n in range(min(len(self._held), max(map(len, self._stops), default=1) - 1), 0, -1):
            if any(stop.startswith(self._held[-n:]) for stop in self._stops if len(stop) > n):
                return n
        return 0

    def feed(self, text: str) -> str:
        self._held += text
        found = [at for at in (self._held.find(stop) for stop in self._stops) if at >= 0]
        if found:
            self.ended = True
            return self._held[: min(found)]
        certain = len(self._held) - self._open_end()
        piece, self._held = self._held[:certain], self._held[certain:]
        return piece

    def finish(self) -> str:
        return "" if self.ended else self._held
