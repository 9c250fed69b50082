#!/usr/bin/env python3
"""Weights that `reformerc train` has made, in Hugging Face: the same loss?

    trained.py REFORMERC DIR/last TEXT [WINDOWS]

Scores the first WINDOWS (8) windows of a text of bytes, of the model's greatest length, by transformers and by
`reformerc eval`, and prints both in nats per byte. Exit 0: they agree to 1e-5. The model needs a hash_seed, or no LSH
layer: without one Hugging Face draws rotations of its own. Needs torch and transformers.
"""
import subprocess
import sys
import tempfile

import torch
from transformers import ReformerModelWithLMHead

reformerc, folder, path = sys.argv[1:4]
windows = int(sys.argv[4]) if len(sys.argv) > 4 else 8
model = ReformerModelWithLMHead.from_pretrained(folder).eval()
length = model.config.max_position_embeddings
with open(path, "rb") as f:
    text = f.read(windows * length)
text = text[: len(text) // length * length]
ids = torch.tensor([byte + 2 for byte in text]).reshape(-1, length)
with torch.no_grad():
    theirs = model(ids, labels=ids).loss.item()
with tempfile.NamedTemporaryFile() as part:
    part.write(text)
    part.flush()
    said = subprocess.run([reformerc, "eval", folder, "--text", part.name], check=True, capture_output=True, text=True)
ours = float(said.stdout.split()[1])
print(f"Hugging Face {theirs:.6f}, reformerc {ours:.6f}")
sys.exit(abs(theirs - ours) > 1e-5 * theirs)
