"""Compares greedy tokens of PyTorch with those that `llmc model eval --dtype f32 --predictions FILE` wrote.

    compare.py MODEL PREDICTIONS [--count 500]

Weights are the checkpoint's BF16 values, computed with in F32. Each answer is run through PyTorch in one piece; it
is equal when every token is the most likely one after those before it, which is what greedy decoding would give.
Prompts are rendered and tokenized here too, and must come out as the engine's.
"""

import argparse
import json
import os
import struct

import numpy
import torch

from model import Model
from tokenizer import Tokenizer


def read_safetensors(path):
    with open(path, "rb") as file:
        length, = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            first, last = entry["data_offsets"]
            bits = numpy.frombuffer(data[first:last], dtype=numpy.uint16).astype(numpy.uint32) << 16
            tensors[name.removeprefix("model.")] = torch.from_numpy(bits.view(numpy.float32).reshape(entry["shape"]).copy())
    return tensors


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("predictions")
    parser.add_argument("--count", type=int, default=500)
    args = parser.parse_args()
    with open(os.path.join(args.model, "config.json")) as file:
        model = Model(json.load(file))
    model.load_state_dict(read_safetensors(os.path.join(args.model, "model.safetensors")))
    with open(args.predictions) as file:
        lines = [json.loads(line) for line in file]
    tokenizer = Tokenizer.load(args.model)
    with open(os.path.join(args.model, "eval", "heldout.jsonl")) as file:
        conversations = {conversation["id"]: conversation for conversation in map(json.loads, file)}
    # Evenly over the file, so that every skill and length is among them.
    chosen = [lines[i * len(lines) // min(args.count, len(lines))] for i in range(min(args.count, len(lines)))]
    for line in chosen:
        prompt = tokenizer.encode_conversation(conversations[line["id"]])[0] + [tokenizer.vocabulary["<|assistant|>"]]
        if prompt != line["prompt_ids"]:
            raise SystemExit(f"{line['id']}: the engine's prompt differs from what training rendered: {line['prompt_ids']} and {prompt}")
    equal = 0
    with torch.no_grad():
        for line in chosen:
            prompt, output = line["prompt_ids"], line["output_ids"]
            hidden = model.hidden(torch.tensor([prompt + output[:-1]]))
            logits = model.logits(hidden[0, len(prompt) - 1:])
            best = logits.argmax(-1)
            different = [i for i, token in enumerate(output) if token != best[i]]
            if not different:
                equal += 1
                continue
            i = different[0]
            gap = (logits[i, best[i]] - logits[i, output[i]]).item()
            print(f"{line['id']}: token {i} is {output[i]} and {best[i].item()} in PyTorch, whose logit is larger by {gap:.2e}")
    print(f"{equal} of {len(chosen)} prompts have equal greedy tokens ({100 * equal / len(chosen):.2f} %)")


if __name__ == "__main__":
    main()
