"""Forwards of the package: Hugging Face's numbers, the command line's bits, arrays in and out."""

import ctypes
import gc
import json
import unittest
import weakref

import numpy as np

import reformerc
from reformerc import _arrays
from support import SMALL, Case, TestCase, command, read_tensors, small

class Bfloat16:
    """float32 numbers as a DLPack tensor of bfloat16, made by hand."""

    def __init__(self, array):
        self.given_back = 0
        self.bits = np.concatenate([[0, 0], (array.reshape(-1).view(np.uint32) >> 16)]).astype(np.uint16)
        self.shape = (ctypes.c_int64 * max(array.ndim, 1))(*array.shape)
        self.managed = _arrays._DLManagedTensor()
        tensor = self.managed.tensor
        tensor.data, tensor.byte_offset, tensor.shape = self.bits.ctypes.data, 4, self.shape
        tensor.device_type, tensor.ndim = 1, array.ndim
        tensor.code, tensor.bits, tensor.lanes = 4, 16, 1
        self.deleter = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self.give_back)
        self.managed.deleter = ctypes.cast(self.deleter, ctypes.c_void_p)

    def give_back(self, _):
        self.given_back += 1

    def __dlpack__(self):
        new = ctypes.pythonapi.PyCapsule_New
        new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        return new(ctypes.addressof(self.managed), b"dltensor", None)


ALL = ["a_clm_lsh_1hash", "c_mlm_alt_attention_mask", "f_cls_3labels_train", "g_qa_train", "p_base_model_local_only"]


class Exporter:
    """An array of another library."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self):
        return self.array.__dlpack__()


class Forwards(TestCase):
    def test_numbers_of_hugging_face(self):
        for name in ALL:
            case = Case(name)
            wanted = [n for n in case.outputs if n in ("logits", "last_hidden_state", "start_logits", "end_logits")]
            with case.compile() as model:
                out = model.forward(case.of_int32("input_ids"), outputs=wanted, **case.arguments())
            self.assertTrue(wanted)
            for output in wanted:
                got, want = getattr(out, output), case.outputs[output]
                self.assertEqual(got.shape, want.shape)
                self.assertLess(np.abs(got - want).max(), 2e-5 * max(1, np.abs(want).max()), f"{name}: {output}")
            if "loss" in case.outputs:
                self.assertAlmostEqual(out.loss, float(case.outputs["loss"]), delta=1e-5)

    def test_bits_of_the_command_line(self):
        case = Case("a_clm_lsh_1hash")
        path = self.folder() / "out.safetensors"
        command("run", case.folder, "--rotations", case.rotations, "--input", case.folder / "inputs.safetensors",
                "--output", path, "--dump-activations")  # fmt: skip
        want = read_tensors(path)
        length = case.inputs["input_ids"].shape[1]
        with case.compile(activations=True, settings={"compile.sequence_length": length}) as model:
            out = model(case.of_int32("input_ids"), activations=True, **case.arguments())
        np.testing.assert_array_equal(out.logits, want["logits"])
        names = [name for name in want if name.startswith("layers.")]
        self.assertGreater(len(names), 3)
        for name in names:
            np.testing.assert_array_equal(out.activations[name], want[name], name)

    def test_token_losses(self):
        with small() as model:
            ids = np.arange(3, 43, dtype=np.int32).reshape(1, 40)
            out = model(ids, labels=ids, outputs=["token_losses", "logits"])
            each = out.token_losses[0, :-1].astype(np.float64)
            self.assertEqual(out.token_losses[0, -1], 0)
            self.assertAlmostEqual(each.mean(), out.loss, delta=1e-5)
            logits = out.logits[0, :-1].astype(np.float64)
            want = np.log(np.exp(logits).sum(-1)) - logits[np.arange(39), ids[0, 1:]]
            np.testing.assert_allclose(each, want, atol=1e-4)

    def test_other_backends_and_specs(self):
        ids = [[5, 6, 7, 8, 9, 10, 11]]
        with small() as model:
            want = model(ids).logits
            self.assertIn("CAUSAL_LM of 60 tokens", repr(model))
            self.assertEqual((model.vocab, model.hidden, model.batch, model.text), (258, 24, 1, "bytes"))
        text = "\n".join(f"{key}: {json.dumps(value)}" for key, value in SMALL.items())
        path = self.folder() / "spec.yaml"
        path.write_text(text)
        for spec in (text, path, str(path)):
            with reformerc.compile(spec, weights="random:5", threads=1) as model:
                np.testing.assert_array_equal(model(ids).logits, want)
        with small(backend="reference") as model:
            self.assertEqual(model.backend, "reference")
            np.testing.assert_allclose(model(ids).logits, want, atol=1e-4)

    def test_weights_of_arrays(self):
        ids = [[5, 6, 7, 8, 9, 10, 11]]
        case = Case("p_base_model_local_only")
        weights = read_tensors(case.folder / "model.safetensors")
        length = case.inputs["input_ids"].shape[1]
        ids = np.arange(length, dtype=np.int32) % 7
        with case.compile() as model:
            want = model(ids).last_hidden_state
        spec = case.folder / "config.json"
        with reformerc.compile(spec, weights=weights) as model:
            np.testing.assert_array_equal(model(ids).last_hidden_state, want)
            half = {name: np.float16(array.clip(-6e4, 6e4)) for name, array in weights.items()}
            model.bind(half)
            other = model(ids).last_hidden_state
            self.assertGreater(np.abs(other - want).max(), 0)
            model.bind({name: Exporter(array.astype(np.float64)) for name, array in weights.items()})
            np.testing.assert_array_equal(model(ids).last_hidden_state, want)
            name = next(iter(weights))
            self.refused(name, model.bind, {**weights, name: weights[name].astype(np.int32)})
            self.refused("contiguous", model.bind, {**weights, name: np.ones((4, 4), np.float32)[:, ::2]})
            self.refused("shape|has", model.bind, {**weights, name: np.ones((1, 1), np.float32)}, kind=reformerc.WeightsError)
            self.refused("missing.safetensors: error: ", model.bind, "missing.safetensors", kind=reformerc.WeightsError)
            np.testing.assert_array_equal(model(ids).last_hidden_state, want)


class Arrays(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = small(settings={"compile.batch_size": 2}, threads=2)
        cls.ids = (np.arange(20, dtype=np.int32) % 9).reshape(2, 10)
        cls.want = cls.model(cls.ids).logits

    @classmethod
    def tearDownClass(cls):
        cls.model.close()

    def test_out_is_written(self):
        out = np.zeros((2, 10, 258), np.float32)
        got = self.model(self.ids, out={"logits": out})
        self.assertIs(got.logits, out)
        np.testing.assert_array_equal(out, self.want)

    def test_dlpack_without_copies(self):
        out = np.zeros((2, 10, 258), np.float32)
        got = self.model(Exporter(self.ids), out={"logits": Exporter(out)})
        np.testing.assert_array_equal(out, self.want)
        np.testing.assert_array_equal(np.from_dlpack(got.logits), out)
        self.assertTrue(np.shares_memory(got.logits, out))

    def test_dlpack_gives_memory_back(self):
        array = np.zeros((2, 10, 258), np.float32)
        alive = weakref.ref(array)
        kept = self.model(self.ids, out={"logits": Exporter(array)}).logits
        del array
        gc.collect()
        self.assertIsNotNone(alive())
        del kept
        gc.collect()
        self.assertIsNone(alive())

    def test_lists_and_single_rows(self):
        np.testing.assert_array_equal(self.model(self.ids.tolist()).logits, self.want)
        np.testing.assert_array_equal(self.model(self.ids[1]).logits, self.want[1:])
        mask = np.ones((2, 10), bool)
        np.testing.assert_array_equal(self.model(self.ids, mask).logits, self.want)
        np.testing.assert_array_equal(self.model(self.ids[1], mask[0]).logits, self.want[1:])

    def test_refusals(self):
        ids, model = self.ids, self.model
        self.refused("input_ids: of type int64, not int32", model, ids.astype(np.int64))
        self.refused("input_ids: of type float32", model, ids.astype(np.float32))
        self.refused("int32", model, ids.astype(">i4"))
        self.refused("not contiguous", model, ids[:, ::2])
        self.refused("not contiguous", model, np.asfortranarray(ids))
        self.refused("input_ids: of shape .2, 10, 1.", model, ids[:, :, None])
        self.refused("nothing in it", model, ids[:0])
        self.refused("nothing in it", model, ids[:, :0])
        self.refused("input_ids.1, 3. is 258, vocab_size 258", model, np.where(np.arange(20).reshape(2, 10) == 13, 258, 0).astype(np.int32))
        self.refused("input_ids.0, 0. is -1", model, [[-1, 2]])
        self.refused("rows", model, np.zeros((3, 4), np.int32))
        self.refused("length", model, np.zeros((1, 65), np.int32))
        self.refused("neither an array", model, object())
        self.refused("str is no array|neither", model, "text")
        self.refused("float64 numbers", model, [[0.5]])
        self.refused("no int32 holds", model, [[2**40]])
        self.refused("no array of numbers", model, [[1, 2], [3]])
        self.refused("attention_mask: of shape .2, 9., not .2, 10.", model, ids, np.ones((2, 9), np.uint8))
        self.refused("attention_mask: of type int32", model, ids, ids)
        self.refused("labels: of shape", model, ids, labels=ids[0])
        self.refused("labels: of type float32", model, ids, labels=ids.astype(np.float32))
        self.refused("labels|class", model, ids, labels=np.full((2, 10), 300, np.int32))
        self.refused("start_positions and end_positions", model, ids, start_positions=[0, 0])
        self.refused("'pooled' is none of logits", model, ids, outputs=["pooled"])
        self.refused("output", model, ids, outputs=["start_logits"])
        self.refused("compiled without", model, ids, activations=True)
        for out in (np.zeros((2, 10, 257), np.float32), np.zeros((2, 10, 258)), np.zeros((258, 10, 2), np.float32).T):
            self.refused("logits: ", model, ids, out={"logits": out})
        out = np.zeros((2, 10, 258), np.float32)
        out.flags.writeable = False
        self.refused("logits: read-only", model, ids, out={"logits": out})
        np.testing.assert_array_equal(model(ids).logits, self.want)

    def test_dlpack_of_bfloat16(self):
        """A tensor as torch exports it: bfloat16, at an offset, without strides."""
        case = Case("p_base_model_local_only")
        weights = read_tensors(case.folder / "model.safetensors")
        ids = np.arange(case.inputs["input_ids"].shape[1], dtype=np.int32) % 7
        upper = np.uint32(0xFFFF0000)
        halves = {name: np.asarray(array.view(np.uint32) & upper).view(np.float32) for name, array in weights.items()}
        given = {name: Bfloat16(array) for name, array in halves.items()}
        with reformerc.compile(case.folder / "config.json", weights=halves) as model:
            want = model(ids).last_hidden_state
            model.bind("random")
            model.bind(given)
            np.testing.assert_array_equal(model(ids).last_hidden_state, want)
            gc.collect()
            self.assertEqual({g.given_back for g in given.values()}, {1})
            self.refused("input_ids: of type|bfloat16", model, Bfloat16(np.ones(8, np.float32)))

    def test_dlpack_refusals(self):
        class Broken:
            def __dlpack__(self):
                return 5

        used = self.ids.__dlpack__()

        class Twice:
            def __dlpack__(self):
                return used

        class Unwilling:
            def __dlpack__(self):
                raise BufferError("not today")

        self.refused("input_ids: not today", self.model, Unwilling())
        self.refused("input_ids: ", self.model, Broken())
        np.testing.assert_array_equal(self.model(Twice()).logits, self.want)
        self.refused("input_ids: ", self.model, Twice())
        self.refused("of type int64", self.model, Exporter(self.ids.astype(np.int64)))
        self.refused("that is none here", self.model, Exporter(self.ids.astype(np.complex64)))


if __name__ == "__main__":
    unittest.main()
