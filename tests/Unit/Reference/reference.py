"""An independent implementation of the supported decoders in PyTorch, for tests.

Shares nothing with the engine: it parses the files itself and recomputes the whole sequence for every token, in
single precision from the weights as stored. Reads one JSON request a line from standard input and answers each
with one line of JSON:

  {"checkpoint": DIR, "prompts": [[id, ...], ...], "new_tokens": N, "logit_rows": R}
  -> {"results": [{"logits": [[...], ...],   rows of the last R prompt tokens, or of all if there are fewer
                   "tokens": [...],          N tokens, greedily chosen
                   "margins": [...]}]}       by how much each of them led, as a share of the largest absolute logit
"""

import json
import math
import os
import struct
import sys

import torch

DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def read_safetensors(path):
    with open(path, "rb") as file:
        data = bytearray(file.read())
    (header_length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + header_length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        dtype = DTYPES[entry["dtype"]]
        count = (end - begin) // torch.empty((), dtype=dtype).element_size()
        flat = torch.frombuffer(data, dtype=dtype, count=count, offset=8 + header_length + begin)
        tensors[name] = flat.reshape(entry["shape"]).to(torch.float32)
    return tensors


def read_weights(directory):
    index = os.path.join(directory, "model.safetensors.index.json")
    if not os.path.exists(index):
        return read_safetensors(os.path.join(directory, "model.safetensors"))
    with open(index) as file:
        shards = set(json.load(file)["weight_map"].values())
    weights = {}
    for shard in shards:
        weights.update(read_safetensors(os.path.join(directory, shard)))
    return weights


class Model:
    def __init__(self, directory):
        with open(os.path.join(directory, "config.json")) as file:
            self.config = config = json.load(file)
        self.weights = read_weights(directory)
        self.architecture = config["architectures"][0]
        self.heads = config["num_attention_heads"]
        self.kv_heads = config["num_key_value_heads"]
        self.head_dim = config.get("head_dim") or config["hidden_size"] // self.heads
        self.window = config.get("sliding_window") if self.windowed() else None
        self.frequencies = self.rope_frequencies()

    def windowed(self):
        if self.architecture == "MistralForCausalLM":
            return True
        return self.architecture.startswith("Qwen") and self.config.get("use_sliding_window", False)

    def rope_frequencies(self):
        exponents = torch.arange(0, self.head_dim, 2, dtype=torch.float64) / self.head_dim
        frequencies = 1.0 / self.config["rope_theta"] ** exponents
        scaling = self.config.get("rope_scaling")
        if not scaling:
            return frequencies
        assert scaling["rope_type"] == "llama3", scaling
        original = scaling["original_max_position_embeddings"]
        low, high, factor = scaling["low_freq_factor"], scaling["high_freq_factor"], scaling["factor"]
        scaled = []
        for frequency in frequencies.tolist():
            wavelength = 2 * math.pi / frequency
            if wavelength < original / high:
                scaled.append(frequency)
            elif wavelength > original / low:
                scaled.append(frequency / factor)
            else:
                share = (original / wavelength - low) / (high - low)
                scaled.append((1 - share) * frequency / factor + share * frequency)
        return torch.tensor(scaled, dtype=torch.float64)

    def norm(self, x, name):
        mean_square = x.pow(2).mean(-1, keepdim=True)
        return x * torch.rsqrt(mean_square + self.config["rms_norm_eps"]) * self.weights[name]

    def linear(self, x, name):
        return torch.nn.functional.linear(x, self.weights[name + ".weight"], self.weights.get(name + ".bias"))

    def rotate(self, x, positions):
        """x: [heads, tokens, head_dim]; the first half of a head is rotated with the second."""
        angles = positions.to(torch.float64)[:, None] * self.frequencies[None, :]
        cos, sin = angles.cos().to(torch.float32), angles.sin().to(torch.float32)
        first, second = x.chunk(2, dim=-1)
        return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)

    def attention(self, x, layer, positions):
        tokens = x.shape[0]

        def heads(name, count):
            return self.linear(x, layer + name).reshape(tokens, count, self.head_dim)

        queries, keys, values = heads("q_proj", self.heads), heads("k_proj", self.kv_heads), heads("v_proj", self.kv_heads)
        if self.architecture == "Qwen3ForCausalLM":
            queries = self.norm(queries, layer + "q_norm.weight")
            keys = self.norm(keys, layer + "k_norm.weight")
        queries = self.rotate(queries.transpose(0, 1), positions)
        keys = self.rotate(keys.transpose(0, 1), positions)
        group = self.heads // self.kv_heads
        keys = keys.repeat_interleave(group, dim=0)
        values = values.transpose(0, 1).repeat_interleave(group, dim=0)
        distance = positions[:, None] - positions[None, :]
        visible = distance >= 0
        if self.window is not None:
            visible &= distance < self.window
        scores = queries @ keys.transpose(1, 2) / math.sqrt(self.head_dim)
        scores = scores.masked_fill(~visible, float("-inf"))
        mixed = torch.softmax(scores, dim=-1) @ values
        return self.linear(mixed.transpose(0, 1).reshape(tokens, -1), layer + "o_proj")

    def forward(self, ids):
        x = self.weights["model.embed_tokens.weight"][torch.tensor(ids)]
        positions = torch.arange(len(ids))
        for index in range(self.config["num_hidden_layers"]):
            layer = f"model.layers.{index}."
            x = x + self.attention(self.norm(x, layer + "input_layernorm.weight"), layer + "self_attn.", positions)
            normed = self.norm(x, layer + "post_attention_layernorm.weight")
            gate = torch.nn.functional.silu(self.linear(normed, layer + "mlp.gate_proj"))
            x = x + self.linear(gate * self.linear(normed, layer + "mlp.up_proj"), layer + "mlp.down_proj")
        x = self.norm(x, "model.norm.weight")
        head = "model.embed_tokens" if self.config.get("tie_word_embeddings") else "lm_head"
        return self.linear(x, head)


def run(model, prompt, new_tokens, logit_rows):
    logits = model.forward(prompt)
    ids, margins, last = list(prompt), [], logits[-1]
    for _ in range(new_tokens):
        best, second = torch.topk(last, 2).values.tolist()
        margins.append((best - second) / last.abs().max().item())
        ids.append(int(torch.argmax(last)))
        last = model.forward(ids)[-1]
    return {"logits": logits[-logit_rows:].tolist(), "tokens": ids[len(prompt) :], "margins": margins}


def main():
    torch.set_num_threads(1)
    for line in sys.stdin:
        request = json.loads(line)
        with torch.no_grad():
            model = Model(request["checkpoint"])
            results = [run(model, prompt, request["new_tokens"], request["logit_rows"]) for prompt in request["prompts"]]
        print(json.dumps({"results": results}), flush=True)


if __name__ == "__main__":
    main()
