"""Gradients and learning through the package: the loss falls as they say, to the bit again, views that stay alive."""

import gc
import unittest

import numpy as np

import reformerc
from reformerc import Batch
from support import SMALL, TestCase, small

TRAIN = {"train": {"optimizer": {"type": "adamw", "lr": 0.01}, "schedule": {"type": "linear", "total": 20}}}
IDS = (np.arange(24, dtype=np.int32) * 7 % 200).reshape(1, 24)
BATCH = Batch(IDS, labels=IDS)
OUTSIDE = Batch([[1, 999]], labels=[[1, 2]])


class Training(TestCase):
    """One model for all: compiling it takes longer than what they do."""

    @classmethod
    def setUpClass(cls):
        cls.model = small(train=True, keys=TRAIN, settings={"compile.sequence_length": 24})

    @classmethod
    def tearDownClass(cls):
        cls.model.close()

    def setUp(self):
        self.model.bind("random:5")

    def steps(self, trainer, n):
        return [trainer.step(BATCH) for _ in range(n)]

    # ---- gradients

    def test_against_differences(self):
        """The loss falls along the gradient as its square says."""
        model = self.model
        loss, gradients = model.gradients(BATCH)
        self.assertAlmostEqual(loss, model(IDS, labels=IDS).loss, delta=1e-5)
        square = sum(float((g.astype(np.float64) ** 2).sum()) for g in gradients.values())
        self.assertGreater(square, 0)
        step = 0.01 / square
        with model.trainer() as trainer:
            weights = trainer.weights
            self.assertEqual(set(gradients), set(weights))
            for name, array in weights.items():
                self.assertEqual(array.shape, gradients[name].shape)
                array -= step * gradients[name]
            del weights, array
            trainer.resume(0)
            fallen = loss - model(IDS, labels=IDS).loss
        self.assertLess(abs(fallen / (step * square) - 1), 0.1)

    def test_refused_gradients(self):
        model = self.model
        self.refused("no labels", model.gradients, Batch(IDS))
        self.refused("input_ids.0, 1. is 999", model.gradients, OUTSIDE)
        self.refused("positions: of shape", Batch, IDS, positions=[1, 2])
        self.refused("", model.gradients, Batch(IDS, labels=IDS, positions=[60]), kind=reformerc.Error)

    # ---- learning

    def test_by_heart(self):
        with self.model.trainer() as trainer:
            reports = self.steps(trainer, 12)
            self.assertEqual([r.step for r in reports], list(range(12)))
            self.assertEqual(reports[0].items, 23)
            self.assertLess(reports[-1].loss, reports[0].loss / 2)
            self.assertLess(self.model(IDS, labels=IDS).loss, reports[-1].loss)
            self.assertIsInstance(reports[0], reformerc.Report)

    def test_goes_on_to_the_bit(self):
        with self.model.trainer() as trainer:
            self.steps(trainer, 3)
            kept = {n: a.copy() for n, a in [*trainer.weights.items(), *trainer.state.items()]}
            self.assertGreater(len(trainer.state), len(trainer.weights))
            want = self.steps(trainer, 3)
        self.model.bind("random:6")
        with self.model.trainer() as trainer:
            for name, array in [*trainer.weights.items(), *trainer.state.items()]:
                array[...] = kept[name]
            del array
            trainer.resume(3)
            self.assertEqual(self.steps(trainer, 3), want)
            self.refused("step: -1", trainer.resume, -1)

    def test_micro_batches(self):
        with self.model.trainer() as trainer:
            part = IDS[:, :20].copy()
            self.assertEqual(trainer.step(BATCH, Batch(part, labels=part)).items, 23 + 19)
            self.refused("no batch", trainer.step)
            self.refused("without labels", trainer.step, BATCH, Batch(IDS))
            self.refused("input_ids.0, 1. is 999", trainer.step, BATCH, OUTSIDE)
            self.refused("label", trainer.step, Batch(IDS, labels=np.full((1, 24), -100, np.int32)))

    def test_life(self):
        model = self.model
        trainer = model.trainer()
        self.refused("learns", model.bind, "random")
        weights = trainer.weights
        with self.assertRaisesRegex(BufferError, "still in use"):
            trainer.close()
        with self.assertRaisesRegex(BufferError, "still in use"):
            model.close()
        part = next(iter(weights.values()))[0]
        del weights, trainer
        gc.collect()
        self.assertTrue(np.isfinite(part).all())
        model.trainer().step(BATCH)
        del part
        gc.collect()
        again, other = model.trainer(), model.trainer()
        again.close()
        again.close()
        self.refused("closed", other.step, BATCH)
        self.assertFalse(model.bound)
        self.refused("no weights", model.trainer, kind=reformerc.Error)
        model.bind("random:5")
        self.assertTrue(np.isfinite(model(IDS).logits).all())

    def test_models_that_do_not_learn(self):
        with small() as model:
            self.refused("no gradients.*train=True", model.trainer)
            self.refused("no gradients.*train=True", model.gradients, BATCH)
        model = reformerc.compile({**SMALL, **TRAIN}, train=True, weights="random:5", backend="interpreter")
        trainer = model.trainer()
        model.close()
        self.refused("closed", trainer.step, BATCH)


if __name__ == "__main__":
    unittest.main()
