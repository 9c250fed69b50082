"""Text through the package: what the command line writes, as it comes, at once, by beams, through a cache."""

import json
import re
import subprocess
import sys
import unittest
from unittest import mock

import numpy as np

import reformerc
from support import SMALL, SOURCE, TestCase, command, small

SHAKESPEARE = SOURCE / "specs/tiny-shakespeare"
DRAW = {"temperature": 0.7, "seed": 7}


class Shakespeare(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = reformerc.compile(SHAKESPEARE, generate=True, settings={"compile.batch_size": 2})

    @classmethod
    def tearDownClass(cls):
        cls.model.close()

    def test_text_of_the_command_line(self):
        for options in ([], ["--temperature", "0.7", "--seed", "7", "--top-k", "20", "--repetition-penalty", "1.1"]):
            said, _ = command("generate", SHAKESPEARE, "--prompt", "ROMEO:", "--tokens", 50, *options)
            given = dict(DRAW, top_k=20, repetition_penalty=1.1) if options else {}
            pieces = list(self.model.generate("ROMEO:", 50, **given))
            self.assertEqual("".join(pieces), said.decode())
            self.assertGreater(len(pieces), 20)
            (text,) = self.model.complete(["ROMEO:"], 50, **given)
            self.assertEqual(text, said.decode())

    def test_five_lines_of_the_page(self):
        """docs/python.md begins with the text of README, in five lines."""
        code = re.search(r"```python\n(.*?)```", (SOURCE / "docs/python.md").read_text(), re.S)[1]
        self.assertLessEqual(len(code.strip().splitlines()), 5)
        said, _ = command("generate", "specs/tiny-shakespeare", "--prompt", "ROMEO:", "--tokens", 260,
                          "--temperature", 0.7, "--seed", 7)  # fmt: skip
        done = subprocess.run([sys.executable, "-c", code], cwd=SOURCE, capture_output=True, check=True)
        self.assertEqual(done.stdout, said)
        readme = (SOURCE / "README.md").read_text()
        self.assertIn("generate specs/tiny-shakespeare --prompt 'ROMEO:' --tokens 260 --temperature 0.7 --seed 7", readme)
        for line in re.search(r"--seed 7\n```\n\n((?:    .*\n)+)", readme)[1].splitlines():
            self.assertIn(line.strip(), said.decode())

    def test_several_prompts(self):
        texts = self.model.complete(["ROMEO:", "JULIET, my love:"], 20)
        self.assertEqual(texts, ["".join(self.model.generate(p, 20)) for p in ("ROMEO:", "JULIET, my love:")])

    def test_beams(self):
        said, _ = command("generate", SHAKESPEARE, "--prompt", "ROMEO:", "--tokens", 12, "--beams", 2)
        (text,) = self.model.complete(["ROMEO:"], 12, beams=2)
        self.assertEqual(text, said.decode())

    def test_stop(self):
        whole = "".join(self.model.generate("ROMEO:", 50, **DRAW))
        stop = whole[20:24]
        at = whole.find(stop)
        self.assertEqual("".join(self.model.generate("ROMEO:", 50, stop=["unheard of", stop], **DRAW)), whole[:at])
        self.assertEqual("".join(self.model.generate("ROMEO:", 50, stop="unheard of", **DRAW)), whole)

    def test_stop_at_eos(self):
        ids = list(self.model.generate_ids([40, 41, 42], 20, **DRAW))
        self.assertEqual(len(ids), 20)
        self.assertEqual(self.model.end_tokens, (2,))


class Small(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = small(generate=True, settings={"compile.batch_size": 2})

    @classmethod
    def tearDownClass(cls):
        cls.model.close()

    def test_end_tokens(self):
        """The first end token ends it, and is a token of it."""
        ids = list(self.model.generate_ids([3, 4, 5], 40, temperature=2.0, seed=1))
        with small(generate=True, keys={"eos_token_id": ids[9]}) as model:
            ended = list(model.generate_ids([3, 4, 5], 40, temperature=2.0, seed=1, stop_at_eos=True))
            self.assertEqual(ended, ids[: ids.index(ids[9]) + 1])
            (row,) = model.complete_ids([[3, 4, 5]], 40, temperature=2.0, seed=1, stop_at_eos=True)
            self.assertEqual(row.tolist(), ended)

    def test_characters_are_whole(self):
        """Bytes that are no UTF-8 become replacement characters; a character of several bytes is one piece."""
        from reformerc._text import Bytes

        reader = Bytes().reader([])
        ids = Bytes().encode("aé€")
        self.assertEqual([reader.feed(i) for i in ids], ["a", "", "é", "", "", "€"])
        self.assertEqual(reader.feed(0xE2 + 2) + reader.finish(), "\ufffd")
        self.assertEqual(reader.feed(1), "")

    def test_cache(self):
        ids = np.array([[9, 8, 7, 6, 5], [1, 2, 3, 4, 5]], np.int32)
        whole = self.model(ids).logits
        with self.model.cache(10, 5) as cache:
            first = cache.prefill(ids)
            np.testing.assert_array_equal(first, whole[:, -1])
            hidden = np.zeros((2, 48), np.float32)
            out = {"logits": np.zeros((2, 258), np.float32), "last_hidden_state": hidden}
            second = cache.step(np.array([3, 3], np.int32), out=out)
            self.assertIs(second, out["logits"])
            self.assertGreater(np.abs(hidden).max(), 0)
            self.assertEqual((cache.tokens(0), cache.tokens(1)), (6, 6))
            cache.copy_row(0, 1)
            after = cache.step([4, 4])
            np.testing.assert_array_equal(after[0], after[1])
            mask = np.array([1, 0], np.uint8)
            cache.step([5, 5], mask)
            self.assertEqual((cache.tokens(0), cache.tokens(1)), (8, 7))
            cache.step([5])
            cache.step([5])
            self.refused("room", cache.step, [5])
            self.refused("300, vocab_size 258", cache.step, [300])
            self.refused("tokens: of type int64", cache.step, np.array([3, 3]))
            self.refused("tokens: of shape", cache.step, [[3], [3]])
            self.refused("nothing in it", cache.step, np.zeros(0, np.int32))
            self.refused("row: 2 is not from 0 to 1", cache.tokens, 2)
            self.refused("target: -1", cache.copy_row, 0, -1)
            self.refused("source: 1.5 is no whole number", cache.copy_row, 1.5, 0)
            self.refused("rows", cache.step, [5, 5, 5])
            self.refused("out: ", cache.step, [5], out={"loss": hidden})
            self.refused("logits: of shape", cache.step, [5], out={"logits": hidden})
        self.refused("closed", cache.step, [1])
        self.refused("length", self.model.cache, 65, 5)
        self.refused("length: 0", self.model.cache, 0, 5)

    def test_step_of_nothing(self):
        with self.model.cache(10, 5) as cache:
            self.refused("prefill", cache.step, [1])

    def test_refusals(self):
        model = self.model
        self.refused("nothing in it", model.generate, "", 5)
        self.refused("ndarray is no text", model.generate, np.ones(3, np.int32), 5)
        self.refused("tokens: 'many' is no whole number", model.generate, "a", "many")
        self.refused("tokens: 0", model.generate, "a", 0)
        self.refused("1 too many for the 64 positions", model.generate, "abc", 63)
        self.refused("temperature: -1 is not from 0", model.generate, "abc", 5, temperature=-1)
        self.refused("top_p: 2 is not from 0 to 1", model.complete, ["abc"], 5, top_p=2)
        self.refused("penalty: nan", model.generate_ids, [3], 5, repetition_penalty=float("nan"))
        self.refused("top_k: -1", model.generate, "abc", 5, top_k=-1)
        self.refused("seed: -1", model.generate, "abc", 5, seed=-1)
        self.refused("stop: ", model.generate, "abc", 5, stop=[""])
        self.refused("999", lambda: list(model.generate_ids([999], 5)))
        self.refused("prompt: of 2 rows", model.generate_ids, [[1], [2]], 5)
        self.refused("prompts: ", model.complete, "abc", 5)
        self.refused("prompts: ", model.complete, [], 5)
        self.refused("prompts: ", model.complete, [""], 5)
        self.refused("rows.*compile.batch_size", model.complete, ["a", "b", "c"], 5)
        self.refused("beams: 3", model.complete, ["a"], 5, beams=3)
        self.refused("early_stopping", model.complete, ["a"], 5, beams=2, early_stopping="soon")
        with small(generate=True, keys={"vocab_size": 300}) as other:
            self.refused("compile.text", other.generate, "abc", 5)
            self.assertEqual(len(list(other.generate_ids([1, 2], 5))), 5)

    def test_what_ended_rests(self):
        tokens = self.model.generate_ids([1, 2, 3], 4)
        logits = []
        for token in tokens:
            self.assertEqual(int(tokens.logits.argmax()), token)
            logits.append(tokens.logits.copy())
        self.assertEqual(len(logits), 4)
        self.assertIsNone(next(tokens, None))
        text = self.model.generate("abc", 9)
        next(text)
        text.close()
        self.assertIsNone(next(text, None))


class Pieces(TestCase):
    """Text of a SentencePiece model, as the command line reads and writes it."""

    KEYS = {"vocab_size": 400, "compile": {"text": "sentencepiece:pieces.model"}}

    def spec(self, folder):
        path = folder / "spec.json"
        path.write_text(json.dumps({**SMALL, **self.KEYS}))
        return path

    def test_without_the_module(self):
        with mock.patch.dict(sys.modules, {"sentencepiece": None}):
            with reformerc.compile(self.spec(self.folder()), weights="random:5", generate=True) as model:
                self.refused("pip install sentencepiece", model.generate, "abc", 5)

    def test_text_of_the_command_line(self):
        try:
            import sentencepiece
        except ImportError:
            self.skipTest("there is no module sentencepiece")
        folder = self.folder()
        path = self.spec(folder)
        with reformerc.compile(path, weights="random:5", generate=True) as model:
            self.refused("no SentencePiece model", model.generate, "abc", 5)
            text = (SOURCE / "tests/golden/checkpoint/validation.txt").read_text()[:20000]
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(text.splitlines()), model_prefix=str(folder / "pieces"), vocab_size=400,
                byte_fallback=True, minloglevel=2,
            )  # fmt: skip
            self.assertEqual(model.text, f"sentencepiece:{folder}/pieces.model")
            for prompt in ("He said", " é, and then"):
                options = {"temperature": 1.5, "seed": 3}
                said, warned = command("generate", path, "--weights", "random:5", "--prompt", prompt, "--tokens", 40,
                                       "--temperature", 1.5, "--seed", 3, check=False)  # fmt: skip
                if "no SentencePiece" in warned:
                    self.skipTest("the command line is built without SentencePiece")
                pieces = list(model.generate(prompt, 40, **options))
                self.assertEqual("".join(pieces), said.decode())
                self.assertGreater(len(pieces), 10)


if __name__ == "__main__":
    unittest.main()
