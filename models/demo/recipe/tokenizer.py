"""Byte-level BPE: training, encoding, and the files of Hugging Face's layout.

    tokenizer.py DATA OUT [--vocabulary 4000]

A word is cut in the same way whether a space stands before it or not: pieces are learned from words without their spaces,
and a space joins the first piece last of all. Every token with a space thus has a twin without, and what is copied
from the middle of a sentence into quotes is the same but for its first token's space.

Training text is ASCII; for it the pattern below splits as the one with Unicode classes in tokenizer.json does.
"""

import argparse
import collections
import glob
import heapq
import json
import os
import re

import template

PATTERN = r"'(?:s|t|re|ve|m|ll|d)| ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_SPLIT = re.compile(PATTERN.replace(r"[^\s\p{L}\p{N}]", r"[^\sA-Za-z0-9]").replace(r"\p{L}", "[A-Za-z]").replace(r"\p{N}", "[0-9]"))
_SPECIAL = re.compile("(" + "|".join(map(re.escape, template.SPECIAL)) + ")")


def byte_characters():
    """The printable character that stands for each byte, as byte-level BPE has them since GPT-2."""
    plain = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return {byte: chr(byte) for byte in plain} | {byte: chr(256 + i) for i, byte in enumerate(others)}


_BYTES = byte_characters()
_SPACE = _BYTES[ord(" ")]


def words_of(text):
    for part in _SPLIT.findall(text):
        yield "".join(_BYTES[byte] for byte in part.encode())


class _Merger:
    """Merges the most frequent pair of symbols, over and over."""

    def __init__(self, counts):
        self.words = [(list(word), count) for word, count in counts.items()]
        self.pairs = collections.Counter()
        self.places = collections.defaultdict(set)
        for i, (symbols, count) in enumerate(self.words):
            self._count(i, symbols, count)
        self.heap = [(-count, pair) for pair, count in self.pairs.items()]
        heapq.heapify(self.heap)

    def _count(self, i, symbols, count):
        for pair in zip(symbols, symbols[1:]):
            self.pairs[pair] += count
            if count > 0:
                self.places[pair].add(i)

    def merge_best(self):
        while self.heap:
            count, pair = heapq.heappop(self.heap)
            if -count == self.pairs[pair] and count < 0:
                self._merge(pair)
                return pair
        return None

    def _merge(self, pair):
        touched = set()
        for i in sorted(self.places.pop(pair)):
            symbols, count = self.words[i]
            self._count(i, symbols, -count)
            touched.update(zip(symbols, symbols[1:]))
            merged, at = [], 0
            while at < len(symbols):
                if tuple(symbols[at:at + 2]) == pair:
                    merged.append(pair[0] + pair[1])
                    at += 2
                else:
                    merged.append(symbols[at])
                    at += 1
            self.words[i] = (merged, count)
            self._count(i, merged, count)
            touched.update(zip(merged, merged[1:]))
        for other in touched:
            if self.pairs[other] > 0:
                heapq.heappush(self.heap, (-self.pairs[other], other))


def train(texts, vocabulary):
    """Vocabulary and merges; special tokens come last."""
    counts, spaced = collections.Counter(), collections.Counter()
    for text in texts:
        for word in words_of(text):
            bare = word[1:] if word.startswith(_SPACE) else word
            counts[bare or word] += 1
            spaced[bare] += bare != word
    merger = _Merger(dict(sorted(counts.items())))
    tokens = [_BYTES[byte] for byte in range(256)]
    merges = []
    room = vocabulary - len(template.SPECIAL) - len(tokens)
    while room - len(merges) >= len(_first_pieces(merger, spaced)):
        for _ in range(8):
            pair = merger.merge_best()
            if pair:
                merges.append(pair)
        if pair is None:
            break
    merges += [(_SPACE, piece) for piece in _first_pieces(merger, spaced)[:room - len(merges)]]
    tokens += [left + right for left, right in merges]
    return {token: i for i, token in enumerate(tokens + template.SPECIAL)}, merges


def _first_pieces(merger, spaced):
    """What words that follow a space begin with, most frequent first; any character may be one."""
    pieces = collections.Counter({chr(byte): 0 for byte in range(ord("!"), ord("~") + 1)})
    for symbols, _ in merger.words:
        count = spaced["".join(symbols)]
        if count:
            pieces[symbols[0]] += count
    return sorted(pieces, key=lambda piece: (-pieces[piece], piece))


class Tokenizer:
    """Encodes ASCII text with a trained vocabulary; remembers words."""

    def __init__(self, vocabulary, merges):
        self.vocabulary = vocabulary
        self.ranks = {tuple(pair): i for i, pair in enumerate(merges)}
        self.known = {}

    @staticmethod
    def load(folder):
        with open(os.path.join(folder, "tokenizer.json")) as file:
            content = json.load(file)
        vocabulary = content["model"]["vocab"] | {token["content"]: token["id"] for token in content["added_tokens"]}
        return Tokenizer(vocabulary, content["model"]["merges"])

    def twins(self):
        """Pairs of ids: a token, and the same after a space."""
        return [(self.vocabulary[token[1:]], i) for token, i in self.vocabulary.items() if token.startswith(_SPACE) and token[1:] in self.vocabulary]

    def encode(self, text):
        ids = []
        for part in _SPECIAL.split(text):
            if part in template.SPECIAL:
                ids.append(self.vocabulary[part])
            else:
                for word in words_of(part):
                    if word not in self.known:
                        self.known[word] = self._encode_word(word)
                    ids += self.known[word]
        return ids

    def encode_conversation(self, conversation):
        """Ids, and for each whether the model is to learn it."""
        ids, learned = [], []
        for text, learn in template.segments(conversation):
            part = self.encode(text)
            ids += part
            learned += [learn] * len(part)
        return ids, learned

    def _encode_word(self, word):
        symbols = list(word)
        while len(symbols) > 1:
            rank, at = min((self.ranks.get(pair, len(self.ranks)), i) for i, pair in enumerate(zip(symbols, symbols[1:])))
            if rank == len(self.ranks):
                break
            symbols[at:at + 2] = [symbols[at] + symbols[at + 1]]
        return [self.vocabulary[symbol] for symbol in symbols]


def write(vocabulary, merges, folder, context):
    os.makedirs(folder, exist_ok=True)
    specials = [{"id": vocabulary[token], "content": token, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
                for token in template.SPECIAL]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    split = {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated", "invert": False}
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": specials, "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
        "post_processor": None, "decoder": byte_level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False,
                  "byte_fallback": False, "ignore_merges": False,
                  "vocab": {token: i for token, i in vocabulary.items() if token not in template.SPECIAL}, "merges": [list(pair) for pair in merges]},
    }
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": context, "clean_up_tokenization_spaces": False,
        "add_bos_token": False, "add_eos_token": False, "bos_token": None, "eos_token": template.END, "pad_token": "<|pad|>", "unk_token": None,
        "added_tokens_decoder": {str(token["id"]): {key: value for key, value in token.items() if key != "id"} for token in specials},
        "chat_template": template.JINJA,
    }
    for name, content in (("tokenizer.json", tokenizer), ("tokenizer_config.json", config)):
        with open(os.path.join(folder, name), "w") as file:
            json.dump(content, file, indent=1, ensure_ascii=False)
            file.write("\n")


def texts_of(paths):
    for path in paths:
        with open(path) as file:
            for line in file:
                for text, _ in template.segments(json.loads(line)):
                    for part in _SPECIAL.split(text):
                        if part not in template.SPECIAL:
                            yield part


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("out")
    parser.add_argument("--vocabulary", type=int, default=4000)
    parser.add_argument("--context", type=int, default=2048)
    args = parser.parse_args()
    paths = sorted(glob.glob(os.path.join(args.data, "train-*.jsonl")))[:2]
    vocabulary, merges = train(texts_of(paths), args.vocabulary)
    write(vocabulary, merges, args.out, args.context)
    print(f"{len(vocabulary)} tokens, {len(merges)} merges, from {len(paths)} shards")


if __name__ == "__main__":
    main()
