"""Writes a checkpoint in Hugging Face's layout.

    export.py CHECKPOINT TOKENIZER HELDOUT OUT
"""

import argparse
import json
import os
import shutil
import struct

import torch

from model import CONFIG
from tokenizer import Tokenizer
import template


def write_safetensors(path, tensors):
    """Tensors in BF16: a header of JSON with its length before it, then the bytes."""
    header, parts, offset = {"__metadata__": {"format": "pt"}}, [], 0
    for name, tensor in sorted(tensors.items()):
        data = tensor.to(torch.bfloat16).contiguous().view(torch.int16).numpy().tobytes()
        header[name] = {"dtype": "BF16", "shape": list(tensor.shape), "data_offsets": [offset, offset + len(data)]}
        parts.append(data)
        offset += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for part in parts:
            file.write(part)


def write_json(path, content):
    with open(path, "w") as file:
        json.dump(content, file, indent=2)
        file.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("checkpoint", "tokenizer", "heldout", "out"):
        parser.add_argument(name)
    args = parser.parse_args()
    os.makedirs(os.path.join(args.out, "eval"), exist_ok=True)
    state = torch.load(args.checkpoint)
    write_safetensors(os.path.join(args.out, "model.safetensors"), {f"model.{name}": tensor for name, tensor in state["model"].items()})
    vocabulary = Tokenizer.load(args.tokenizer).vocabulary
    end, pad = vocabulary[template.END], vocabulary["<|pad|>"]
    write_json(os.path.join(args.out, "config.json"), CONFIG | {"bos_token_id": None, "eos_token_id": end, "pad_token_id": pad})
    write_json(os.path.join(args.out, "generation_config.json"), {"do_sample": True, "temperature": 0.3, "top_p": 0.95, "eos_token_id": end, "pad_token_id": pad})
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(os.path.join(args.tokenizer, name), os.path.join(args.out, name))
    shutil.copyfile(args.heldout, os.path.join(args.out, "eval", "heldout.jsonl"))
    print(f"step {state['step']}: {sum(t.numel() for t in state['model'].values()):,} parameters in {args.out}")


if __name__ == "__main__":
    main()
