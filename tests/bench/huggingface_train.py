#!/usr/bin/env python3
"""Whole training steps of Hugging Face's Reformer and of `reformerc train`, side by side: the same checkpoint folder, text
and rows, in turns.

A step is forward, loss, gradients, clipping by the global norm and AdamW, as Hugging Face's Trainer and `reformerc train`
do it, on crops of the text (one byte is the id byte + 2). Each round starts a process of either, which warms up by itself;
speeds are medians of the rounds, the ratio is the median of the rounds' ratios.

    huggingface_train.py FOLDER TEXT [--rows 8] [--steps 12] [--repeat 3] [--set KEY=VALUE …]

Needs PyTorch and transformers (4.x); nothing of the project needs this file."""
import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def train_theirs(o):
    """Prints tokens/s of o.steps steps behind two more."""
    import time

    import torch
    from transformers import ReformerModelWithLMHead
    torch.set_num_threads(o.threads)
    torch.manual_seed(0)
    model = ReformerModelWithLMHead.from_pretrained(o.folder).train()
    decayed = [p for p in model.parameters() if p.dim() >= 2]
    others = [p for p in model.parameters() if p.dim() < 2]
    optimizer = torch.optim.AdamW([{'params': decayed, 'weight_decay': 0.1}, {'params': others, 'weight_decay': 0.0}],
                                  lr=1e-3, betas=(0.9, 0.95))
    length = model.config.max_position_embeddings
    text = open(o.text, 'rb').read()
    draw = random.Random(0)
    seconds = []
    for _ in range(o.steps + 2):
        first = [draw.randrange(len(text) - length) for _ in range(o.rows)]
        ids = torch.tensor([[byte + 2 for byte in text[at:at + length]] for at in first])
        begin = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        model(input_ids=ids, labels=ids).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        seconds.append(time.perf_counter() - begin)
    print(o.rows * length / statistics.median(seconds[2:]))


def speed_of_theirs(o):
    command = [sys.executable, os.path.abspath(__file__), o.folder, o.text, '--child', '--rows', str(o.rows),
               '--steps', str(o.steps), '--threads', str(o.threads)]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True,
                         env={**os.environ, 'OMP_WAIT_POLICY': 'PASSIVE', 'OMP_NUM_THREADS': str(o.threads)})
    return float(run.stdout)


def speed_of_ours(o):
    with tempfile.TemporaryDirectory() as folder:
        command = [o.reformerc, 'train', o.folder, '--text', o.text, '--out', os.path.join(folder, 'run'),
                   '--steps', str(4 * o.steps), '--batch-size', str(o.rows), '--threads', str(o.threads),
                   '--eval-windows', '1']
        for key in o.set:
            command += ['--set', key]
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if run.returncode != 0:
            sys.exit(run.stderr)
    for line in (run.stdout + run.stderr).splitlines():
        if line.startswith('tokens_per_second '):
            return float(line.split()[1])
    sys.exit('reformerc train printed no tokens_per_second')


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('folder', help='a checkpoint folder of a causal language model of bytes')
    p.add_argument('text', help='what is learnt')
    p.add_argument('--rows', type=int, default=8, metavar='N', help='of a step; default 8')
    p.add_argument('--steps', type=int, default=12, metavar='N', help="of Hugging Face in a round; here four times as many")
    p.add_argument('--repeat', type=int, default=3, metavar='N', help='rounds; default 3')
    p.add_argument('--threads', type=int, default=len(os.sched_getaffinity(0)), metavar='N')
    p.add_argument('--set', action='append', default=[], metavar='KEY=VALUE', help='of reformerc')
    p.add_argument('--reformerc', default=os.path.join(HERE, '../../build/release/bin/reformerc'))
    p.add_argument('--child', action='store_true', help=argparse.SUPPRESS)
    o = p.parse_args()
    if o.child:
        train_theirs(o)
        return
    theirs, ours = [], []
    for _ in range(o.repeat):
        theirs.append(speed_of_theirs(o))
        ours.append(speed_of_ours(o))
        print(f'Hugging Face {theirs[-1]:8.0f} tokens/s, reformerc {ours[-1]:8.0f} tokens/s', flush=True)
    ratio = statistics.median(b / a for a, b in zip(theirs, ours))
    print(f'median: Hugging Face {statistics.median(theirs):.0f}, reformerc {statistics.median(ours):.0f} tokens/s, '
          f'{ratio:.2f} times as many; rows {o.rows}, {o.threads} threads')


if __name__ == '__main__':
    main()
