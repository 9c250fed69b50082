"""Calls of the package: errors with the command line's text, what is closed, callbacks, threads."""

import copy
import pickle
import threading
import time
import unittest

import numpy as np

import reformerc
from support import SMALL, TestCase, command, small


class Errors(TestCase):
    def test_text_of_the_command_line(self):
        path = self.folder() / "bad.yaml"
        path.write_text("architectures: [ReformerModelWithLMHead]\nhidden_sise: 24\nnum_hashes: many\n")
        _, said = command("explain", path, check=False)
        self.assertIn("^", said)
        with self.assertRaises(reformerc.SpecError) as caught:
            reformerc.compile(path)
        self.assertEqual(str(caught.exception), said.rstrip("\n"))
        self.assertEqual(caught.exception.code, 100)

    def test_kinds(self):
        self.refused("missing.yaml: error: ", reformerc.compile, "missing.yaml", kind=reformerc.SpecError)
        self.refused("options.backend", small, backend="fortran")
        self.refused("options.target", small, target="z80")
        self.refused("threads", small, threads=0)
        self.refused("threads: 5000 is not from 1 to 1024", small, threads=5000)
        self.refused("seed: -1", small, seed=-1)
        self.refused("NUL", reformerc.compile, "a\0b")
        self.refused("NUL", reformerc.compile, {"a": "\0"} and "x\n\0")
        self.refused("neither a path", reformerc.compile, 5)
        self.refused("<object .* is neither a number", small, settings={"num_hashes": object()})
        self.refused("settings: num_hashes: Out of range", small, settings={"num_hashes": float("nan")})
        self.refused("spec: keys must be", reformerc.compile, {(1, 2): 3})
        self.refused("--set|num_hashes", small, settings={"num_hashes": -1}, kind=reformerc.SpecError)
        with self.assertRaises(reformerc.CompileError):
            small(backend="c", cc="false", cache=False)
        with reformerc.compile(SMALL) as model:
            self.assertFalse(model.bound)
            self.refused("no weights", model, [[1]], kind=reformerc.Error)
            self.refused("without|generate", model.generate, "a", 3)
            self.refused("without|gradients", model.gradients, reformerc.Batch([[1]], labels=[[1]]), kind=reformerc.Error)

    def test_closed(self):
        model = small(generate=True)
        cache = model.cache(20, 10)
        tokens = model.generate_ids([3, 4], 5)
        next(tokens)
        for thing in (model, cache):
            for duplicate in (copy.copy, copy.deepcopy, pickle.dumps):
                with self.assertRaises(TypeError):
                    duplicate(thing)
        model.close()
        model.close()
        cache.close()
        for call in (
            lambda: model([[1]]),
            lambda: model.bind("random"),
            lambda: model.target,
            lambda: model.cache(3, 3),
            lambda: model.generate("a", 3),
            lambda: cache.prefill([[1]]),
            lambda: next(tokens),
            lambda: cache.tokens(),
        ):
            self.refused("closed", call)
        self.assertIn("closed", repr(model))

    def test_from_its_own_callback(self):
        """A forward may call the model again, and may not close it; what its callback raises comes out."""
        with small(activations=True, threads=1) as model:
            inner = []

            def call(seen):
                if not inner:
                    inner.append(model([[1, 2, 3]]).logits)
                    self.refused("callback of its own call", model.close)
                    raise KeyError("from a callback")

            with watched(call), self.assertRaisesRegex(KeyError, "from a callback"):
                model([[1, 2, 3]], activations=True)
            np.testing.assert_array_equal(model([[1, 2, 3]]).logits, inner[0])

    def test_warnings(self):
        keys = {"num_buckets": None, "max_position_embeddings": 4096, "lsh_attn_chunk_length": 16}
        with self.assertWarns(reformerc.CompilerWarning):
            reformerc.compile({**SMALL, **keys, "vocab_sise": 5, "model_type": "reformer"}).close()


class watched:
    """Calls `call` with whatever a forward shows."""

    def __init__(self, call):
        self.call = call

    def __enter__(self):
        from reformerc import _context

        self.real = real = _context.Trace
        call = self.call

        class Watching(real):
            def _copy(self, name, data, dtype, shape, rank):
                super()._copy(name, data, dtype, shape, rank)
                call(self.seen)

        from reformerc import _model

        self.module = _model
        _model.Trace = Watching

    def __exit__(self, *_):
        self.module.Trace = self.real


class Threads(TestCase):
    def test_two_forwards_at_once(self):
        """Both are inside when they meet at a barrier: neither waits for the other to end."""
        barrier, met = threading.Barrier(2, timeout=60), []

        def meet(seen):
            if len(seen) == 1:
                barrier.wait()
                met.append(threading.get_ident())

        with small(activations=True, threads=1) as model, watched(meet):
            results = []
            threads = [
                threading.Thread(target=lambda: results.append(model([[1, 2, 3]], activations=True)))
                for _ in range(2)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(len(set(met)), 2)
            np.testing.assert_array_equal(results[0].logits, results[1].logits)

    def test_forwards_release_the_gil(self):
        """Another thread goes on counting while the reference computes for a while."""
        count, ended = [0], threading.Event()

        def counting():
            while not ended.is_set():
                count[0] += 1
                time.sleep(0.001)

        with small(backend="reference", threads=1, keys={"max_position_embeddings": 1024, "feed_forward_size": 1024}) as model:
            ids = np.ones((1, 1000), np.int32)
            thread = threading.Thread(target=counting)
            thread.start()
            try:
                before = count[0]
                model(ids)
                during = count[0] - before
            finally:
                ended.set()
                thread.join()
        self.assertGreaterEqual(during, 10)

    def test_many_threads_while_weights_change(self):
        with small(threads=1) as model:
            ids = np.arange(30, dtype=np.int32).reshape(1, 30)
            seen, problems = set(), []

            def run():
                try:
                    for _ in range(30):
                        seen.add(model(ids).logits.tobytes())
                except Exception as problem:
                    problems.append(problem)

            threads = [threading.Thread(target=run) for _ in range(4)]
            for thread in threads:
                thread.start()
            for k in range(10):
                model.bind(f"random:{5 + k % 2}")
            for thread in threads:
                thread.join()
            self.assertEqual(problems, [])
            self.assertLessEqual(len(seen), 2)


if __name__ == "__main__":
    unittest.main()
