"""Tensors of torch, in and out over the same memory: where the addresses are the same nothing was copied. Skipped without torch.

In: SOURCE_DIR of the environment, and a Python that has torch.
"""

import sys
import unittest
from unittest import mock

try:
    import torch
except ImportError:
    print("there is no torch: what it hands over is not known to be right")
    sys.exit(77)
import numpy as np

import reformerc
from reformerc import Batch
from support import TestCase, small

IDS = torch.arange(20, dtype=torch.int32).reshape(2, 10) * 7 % 200


def passed(model, call):
    """The addresses that a call hands to the library, by field of its io."""
    seen = {}
    lib = reformerc._model.lib

    class Watched:
        def __getattr__(self, name):
            function = getattr(lib, name)
            if name not in ("reformerc_forward", "reformerc_gradients"):
                return function

            def watch(context, io, *rest):
                for field in ("input_ids", "attention_mask", "labels", "logits", "last_hidden_state"):
                    seen[field] = getattr(io._obj, field)
                return function(context, io, *rest)

            return watch

    with mock.patch.object(reformerc._model, "lib", Watched()):
        result = call(model)
    return seen, result


class Torch(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = small(settings={"compile.batch_size": 2, "compile.sequence_length": 24})
        cls.want = cls.model(IDS.numpy()).logits.copy()

    @classmethod
    def tearDownClass(cls):
        cls.model.close()

    def test_in(self):
        mask = torch.ones(2, 10, dtype=torch.bool)
        seen, got = passed(self.model, lambda m: m(IDS, mask, labels=IDS, outputs=["logits"]))
        np.testing.assert_array_equal(got.logits, self.want)
        self.assertEqual(seen["input_ids"], IDS.data_ptr())
        self.assertEqual(seen["labels"], IDS.data_ptr())
        self.assertEqual(seen["attention_mask"], mask.data_ptr())

    def test_a_part_of_a_tensor(self):
        seen, got = passed(self.model, lambda m: m(IDS[1:]))
        self.assertEqual(seen["input_ids"], IDS.data_ptr() + 10 * 4)
        np.testing.assert_array_equal(got.logits, self.want[1:])

    def test_out_is_a_tensor(self):
        out = torch.zeros(2, 10, 258)
        seen, got = passed(self.model, lambda m: m(IDS, out={"logits": out}))
        self.assertEqual(seen["logits"], out.data_ptr())
        self.assertEqual(got.logits.ctypes.data, out.data_ptr())
        np.testing.assert_array_equal(out.numpy(), self.want)

    def test_out_becomes_a_tensor(self):
        seen, got = passed(self.model, lambda m: m(IDS))
        for made in (torch.from_dlpack(got.logits), torch.utils.dlpack.from_dlpack(got.logits)):
            self.assertEqual(made.data_ptr(), seen["logits"])
        array, made = got.logits, torch.from_dlpack(got.logits)
        made += 1
        np.testing.assert_array_equal(array, self.want + 1)
        del array, got  # the tensor holds the memory
        np.testing.assert_array_equal(made.numpy(), self.want + 1)

    def test_refusals(self):
        self.refused("of type int64", self.model, IDS.long())
        self.refused("not contiguous", self.model, IDS[:, ::2])
        self.refused("logits: .*require gradient, use tensor.detach", self.model, IDS, out={"logits": torch.zeros(2, 10, 258, requires_grad=True)})

    def test_weights(self):
        """Of torch's types; bfloat16 is what a tensor of it says."""
        case = reformerc.compile(
            {"architectures": ["ReformerModelWithLMHead"], "is_decoder": True, "vocab_size": 16, "hidden_size": 8,
             "attn_layers": ["local"], "num_attention_heads": 1, "attention_head_size": 8, "feed_forward_size": 8,
             "axial_pos_embds": False, "max_position_embeddings": 16, "local_attn_chunk_length": 8,
             "hidden_dropout_prob": 0.0, "local_attention_probs_dropout_prob": 0.0},
            weights="random:3", train=True, settings={"train.optimizer.type": "sgd", "train.optimizer.lr": 0.1})
        ids = torch.arange(8, dtype=torch.int32)
        with case as model:
            with model.trainer() as trainer:
                tensors = {name: torch.from_dlpack(array) for name, array in trainer.weights.items()}
                for name, array in trainer.weights.items():
                    self.assertEqual(tensors[name].data_ptr(), array.ctypes.data)
                halves = {name: t.to(torch.bfloat16) for name, t in tensors.items()}
                del tensors, array
            model.bind({name: t.to(torch.float32) for name, t in halves.items()})
            want = model(ids).logits.copy()
            model.bind(halves)
            np.testing.assert_array_equal(model(ids).logits, want)
            batch = ids.reshape(1, -1)
            seen, (_, gradients) = passed(model, lambda m: m.gradients(Batch(batch, labels=batch)))
            self.assertEqual(seen["labels"], batch.data_ptr())
            for array in gradients.values():
                self.assertEqual(torch.from_dlpack(array).data_ptr(), array.ctypes.data)


if __name__ == "__main__":
    unittest.main()
