#!/usr/bin/env python3
"""The same loss in Hugging Face: a checkpoint folder that `reformerc train` wrote, on a text, by both programs.

Hugging Face loads the folder as it is (from_pretrained) and computes the loss of windows side by side; `reformerc eval` scores
the same windows. Its rotations are those of --seed 0: with `hash_seed: null` Hugging Face draws them from torch's
generator at each forward, layer after layer, so it is seeded with 0 before each. Bytes only (id = byte + 2); the last,
shorter window is left out of the text.

    reformerc train model.yaml --text input.txt --out run
    python3 tests/bench/huggingface_loss.py run/last input.txt --length 512

Exit code 1 where the losses differ by more than --within (nats per token, 1e-5 by default). Needs PyTorch and transformers
4.x, which has the Reformer; nothing of the project needs this file.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('folder', help='a checkpoint folder of a causal language model')
    p.add_argument('text', help='the file to score')
    p.add_argument('--length', type=int, required=True, metavar='N', help='bytes of a window')
    p.add_argument('--bytes', type=int, default=0, metavar='N', help='of the text, from its beginning; 0: all')
    p.add_argument('--within', type=float, default=1e-5, metavar='X', help='greatest difference')
    p.add_argument('--reformerc', default=os.path.join(os.path.dirname(__file__), '../../build/release/bin/reformerc'))
    o = p.parse_args()
    if o.length < 2:
        sys.exit('--length: error: a window has two bytes at least')
    return o


def whole_windows(o):
    try:
        with open(o.text, 'rb') as f:
            data = f.read(o.bytes) if o.bytes > 0 else f.read()
    except OSError as e:
        sys.exit(f'{o.text}: error: {e.strerror}')
    data = data[:len(data) // o.length * o.length]
    if not data:
        sys.exit(f'{o.text}: error: is shorter than one window of {o.length} bytes')
    return data


def by_reformerc(o, data):
    """nats per scored token, of `reformerc eval`"""
    with tempfile.NamedTemporaryFile(suffix='.txt') as f:
        f.write(data)
        f.flush()
        command = [o.reformerc, 'eval', o.folder, '--text', f.name, '--set', f'compile.sequence_length={o.length}',
                   '--set', 'compile.text=bytes', '--no-warnings']
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        except OSError as e:
            sys.exit(f"--reformerc: error: '{o.reformerc}' is no program: {e.strerror}")
    loss = re.search(r'^nats_per_byte (\S+)$', done.stdout, re.M)
    if done.returncode or not loss:
        sys.exit('reformerc eval has failed')
    return float(loss.group(1))


def by_hugging_face(o, data):
    """the same, of transformers"""
    try:
        import torch
        from transformers import ReformerModelWithLMHead
    except ImportError as e:
        sys.exit(f'this Python has no {e.name}')
    model = ReformerModelWithLMHead.from_pretrained(o.folder).eval()
    ids = torch.frombuffer(bytearray(data), dtype=torch.uint8).long().add(2).view(-1, o.length)
    losses = []
    with torch.no_grad():
        for row in ids:
            torch.manual_seed(0)
            losses.append(float(model(input_ids=row[None], labels=row[None]).loss))
    return sum(losses) / len(losses)


def main():
    o = arguments()
    data = whole_windows(o)
    ours, theirs = by_reformerc(o, data), by_hugging_face(o, data)
    difference = abs(ours - theirs)
    print(f'{len(data) // o.length} windows of {o.length} bytes: reformerc {ours:.6f}, Hugging Face {theirs:.6f} nats per token, '
          f'difference {difference:.1e}')
    return 0 if difference <= o.within else 1


if __name__ == '__main__':
    sys.exit(main())
