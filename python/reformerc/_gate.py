"""Who may call a model: any number of readers at once, or one writer alone."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ._errors import InputError


class Gate:
    """Forwards are readers; binding, learning and closing are writers, which wait until no reader is inside.

    A thread that is inside already (it is in a callback of a forward) may read again, but not write.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._readers: dict[int, int] = {}
        self._writer: int = 0

    def _waits_for_itself(self, me: int) -> bool:
        return self._writer == me or me in self._readers

    @contextmanager
    def reading(self) -> Iterator[None]:
        me = threading.get_ident()
        with self._changed:
            if self._writer == me:
                raise InputError("the model is called from a callback of a call that changes it")
            self._changed.wait_for(lambda: not self._writer)
            self._readers[me] = self._readers.get(me, 0) + 1
        try:
            yield
        finally:
            with self._changed:
                self._readers[me] -= 1
                if not self._readers[me]:
                    del self._readers[me]
                    self._changed.notify_all()

    @contextmanager
    def writing(self) -> Iterator[None]:
        me = threading.get_ident()
        with self._changed:
            if self._waits_for_itself(me):
                raise InputError("the model is changed or closed from a callback of its own call")
            self._changed.wait_for(lambda: not self._writer and not self._readers)
            self._writer = me
        try:
            yield
        finally:
            with self._changed:
                self._writer = 0
                self._changed.notify_all()
