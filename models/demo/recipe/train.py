"""Trains the model on the CPU.

    train.py DATA TOKENIZER CHECKPOINT [--minutes M] [--resume]

Hidden matrices are trained with Muon (Jordan et al., 2024: momentum whose matrices are made near-orthogonal by
Newton-Schulz iterations), the rest and the wired heads with AdamW. The learning rate stays for the first 30 % of --minutes and falls
linearly to zero over the others, so that the time at hand decides the number of steps; time in which the process was stopped does not count. Of conversations only what the assistant says is
learned; each step adds exercises (exercises.py). Heads that look back are wired before the first step (wiring.py).
"""

import argparse
import collections
import glob
import json
import os
import random
import time

import torch
from torch.nn import functional as F

import exercises
from model import CONFIG, Model
from tokenizer import Tokenizer
from wiring import is_wired, rarity_of, wire


LONGEST_STEP = 15  # seconds; whatever takes longer is a process that was stopped


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised."""

    def __init__(self, parameters, rate, momentum=0.95, decay=0.01):
        super().__init__(parameters, {"lr": rate, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for parameter in group["params"]:
                gradient = parameter.grad
                buffer = self.state[parameter].setdefault("momentum", torch.zeros_like(gradient))
                buffer.lerp_(gradient, 1 - group["momentum"])
                update = orthogonalized(gradient.lerp(buffer, group["momentum"]))
                parameter.mul_(1 - group["lr"] * group["decay"])
                parameter.add_(update, alpha=-group["lr"] * max(1, parameter.shape[0] / parameter.shape[1]) ** 0.5)


def orthogonalized(matrix):
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        product = x @ x.T
        x = a * x + (b * product + c * product @ product) @ x
    return x if matrix.shape[0] <= matrix.shape[1] else x.T


def batches(path, tokenizer, batch_tokens, longest, rng):
    """Batches of conversations of like length, in random order."""
    samples = []
    with open(path) as file:
        for line in file:
            ids, learned = tokenizer.encode_conversation(json.loads(line))
            if len(ids) <= longest:
                samples.append((ids, learned))
    rng.shuffle(samples)
    samples.sort(key=lambda sample: len(sample[0]) // 16 if len(sample[0]) < 512 else 32 + (len(sample[0]) - 512) // 128)
    result, current, width = [], [], 0
    for sample in samples:
        width = max(width, len(sample[0]))
        if current and width * (len(current) + 1) > batch_tokens:
            result.append(current)
            current, width = [], len(sample[0])
        current.append(sample)
    result.append(current)
    rng.shuffle(result)
    return result


def token_counts(path, tokenizer):
    """How often each token occurs in a shard."""
    counts = collections.Counter()
    with open(path) as file:
        for line in file:
            counts.update(tokenizer.encode_conversation(json.loads(line))[0])
    return [counts[i] for i in range(len(tokenizer.vocabulary))]


def tensors(batch, pad):
    width = max(len(ids) for ids, _ in batch)
    ids = torch.full((len(batch), width), pad, dtype=torch.long)
    learned = torch.zeros((len(batch), width), dtype=torch.bool)
    for row, (tokens, learn) in enumerate(batch):
        ids[row, :len(tokens)] = torch.tensor(tokens)
        learned[row, :len(tokens)] = torch.tensor(learn)
    return ids, learned


def loss_of(model, ids, learned):
    hidden = model.hidden(ids[:, :-1])
    wanted = learned[:, 1:]
    return F.cross_entropy(model.logits(hidden[wanted]), ids[:, 1:][wanted]), int(wanted.sum())


def save(path, model, state):
    torch.save({"model": model.state_dict()} | state, path + ".new")
    os.replace(path + ".new", path)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("tokenizer")
    parser.add_argument("checkpoint")
    parser.add_argument("--minutes", type=float, default=180)
    parser.add_argument("--batch-tokens", type=int, default=2560)
    parser.add_argument("--exercise-tokens", type=int, default=640)
    parser.add_argument("--exercise-weight", type=float, default=0.4)
    parser.add_argument("--rate", type=float, default=0.02)
    parser.add_argument("--warm-up", type=int, default=60)
    parser.add_argument("--first-shard", type=int, default=0)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--threads", type=int, default=1, help="of operations other than matrix products, which take all processors")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    tokenizer = Tokenizer.load(args.tokenizer)
    pad = tokenizer.vocabulary["<|pad|>"]
    drills = [exercises.Repeats(pad, tokenizer.twins()), exercises.Sums(tokenizer)]
    paths = sorted(glob.glob(os.path.join(args.data, "train-*.jsonl")))
    model = Model(CONFIG)
    if args.resume:
        model.load_state_dict(torch.load(args.checkpoint)["model"])
    else:
        wire(model, tokenizer.twins(), rarity_of(token_counts(paths[0], tokenizer), tokenizer.twins()))
    wired, hidden, others = [], [], []
    for name, parameter in model.named_parameters():
        (wired if is_wired(name) else hidden if parameter.dim() == 2 and "embed" not in name else others).append(parameter)
    groups = [{"params": others, "lr": args.rate / 8}, {"params": wired, "lr": args.rate / 40}]
    optimizers = [Muon(hidden, args.rate), torch.optim.AdamW(groups, betas=(0.9, 0.95), weight_decay=0.0)]
    rates = [group["lr"] for optimizer in optimizers for group in optimizer.param_groups]
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters", flush=True)

    shown = last = time.time()
    spent = 0.0
    step, tokens, total, learned, drilled = 0, 0, 0.0, 0, [0.0] * len(drills)
    shard = args.first_shard
    while True:
        path = paths[shard % len(paths)]
        for batch in batches(path, tokenizer, args.batch_tokens, CONFIG["max_position_embeddings"], random.Random(shard)):
            now = time.time()
            spent += min(now - last, LONGEST_STEP)
            last = now
            left = 1 - spent / (60 * args.minutes)
            if left <= 0:
                save(args.checkpoint, model, {"step": step, "shard": shard})
                print(f"done after {step} steps", flush=True)
                return
            factor = min(1, (step + 1) / args.warm_up, left / 0.7)
            for group, rate in zip((g for o in optimizers for g in o.param_groups), rates):
                group["lr"] = rate * factor
            for optimizer in optimizers:
                optimizer.zero_grad()
            loss, count = loss_of(model, *tensors(batch, pad))
            loss.backward()
            drill = step % len(drills)
            exercise, _ = loss_of(model, *drills[drill].draw(args.exercise_tokens))
            (args.exercise_weight * exercise).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for optimizer in optimizers:
                optimizer.step()
            step += 1
            tokens += sum(len(ids) for ids, _ in batch)
            total += loss.item() * count
            learned += count
            drilled[drill] += exercise.item() * len(drills) / 20
            if step % 20 == 0:
                print(f"step {step} shard {shard} loss {total / learned:.4f} exercises {drilled[0]:.3f} {drilled[1]:.3f} {tokens / (now - shown):.0f} tok/s {spent / 60:.1f} min", flush=True)
                shown, tokens, total, learned, drilled = now, 0, 0.0, 0, [0.0] * len(drills)
            if step % 100 == 0:
                save(args.checkpoint, model, {"step": step, "shard": shard})
        shard += 1


if __name__ == "__main__":
    main()
