"""The model in PyTorch, for training and for comparing tokens: Llama with grouped-query attention and tied embeddings."""

import math

import torch
from torch import nn
from torch.nn import functional as F

CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 192, "intermediate_size": 512, "num_hidden_layers": 6,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 64, "vocab_size": 4000, "max_position_embeddings": 2048,
    "rope_theta": 1000000.0, "rms_norm_eps": 1e-5, "hidden_act": "silu", "tie_word_embeddings": True, "attention_bias": False, "mlp_bias": False,
    "torch_dtype": "bfloat16",
}


class _Norm(nn.Module):
    def __init__(self, width, epsilon):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.epsilon) * self.weight


def rotary(length, config):
    """Cosines and sines, [length, head_dim / 2] each."""
    frequencies = config["rope_theta"] ** (-torch.arange(0, config["head_dim"], 2).float() / config["head_dim"])
    angles = torch.arange(length).float()[:, None] * frequencies
    return angles.cos(), angles.sin()


def _rotate(x, cos, sin):
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


class _Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.heads, self.kv_heads, self.width = config["num_attention_heads"], config["num_key_value_heads"], config["head_dim"]
        hidden = config["hidden_size"]
        self.q_proj = nn.Linear(hidden, self.heads * self.width, bias=False)
        self.k_proj = nn.Linear(hidden, self.kv_heads * self.width, bias=False)
        self.v_proj = nn.Linear(hidden, self.kv_heads * self.width, bias=False)
        self.o_proj = nn.Linear(self.heads * self.width, hidden, bias=False)

    def forward(self, x, cos, sin, mask):
        batch, length, _ = x.shape
        group = self.heads // self.kv_heads
        q = _rotate(self.q_proj(x).view(batch, length, self.heads, self.width).transpose(1, 2), cos, sin) / math.sqrt(self.width)
        k = _rotate(self.k_proj(x).view(batch, length, self.kv_heads, self.width).transpose(1, 2), cos, sin)
        v = self.v_proj(x).view(batch, length, self.kv_heads, self.width).transpose(1, 2)
        # The query heads of a group stand under each other, so that keys and values need no copies.
        q = q.reshape(batch * self.kv_heads, group * length, self.width)
        scores = torch.bmm(q, k.reshape(batch * self.kv_heads, length, self.width).transpose(1, 2)).view(-1, group, length, length)
        weights = F.softmax(scores + mask, dim=-1)
        out = torch.bmm(weights.view(-1, group * length, length), v.reshape(batch * self.kv_heads, length, self.width))
        return self.o_proj(out.view(batch, self.heads, length, self.width).transpose(1, 2).reshape(batch, length, -1))


class _Mlp(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.gate_proj = nn.Linear(config["hidden_size"], config["intermediate_size"], bias=False)
        self.up_proj = nn.Linear(config["hidden_size"], config["intermediate_size"], bias=False)
        self.down_proj = nn.Linear(config["intermediate_size"], config["hidden_size"], bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class _Layer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.input_layernorm = _Norm(config["hidden_size"], config["rms_norm_eps"])
        self.self_attn = _Attention(config)
        self.post_attention_layernorm = _Norm(config["hidden_size"], config["rms_norm_eps"])
        self.mlp = _Mlp(config)

    def forward(self, x, cos, sin, mask):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Model(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config["vocab_size"], config["hidden_size"])
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config["num_hidden_layers"]))
        self.norm = _Norm(config["hidden_size"], config["rms_norm_eps"])
        self.rotary = rotary(config["max_position_embeddings"], config)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.02 if "embed" in name else parameter.shape[1] ** -0.5)
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                nn.init.zeros_(parameter)

    def hidden(self, ids):
        """[batch, length] to [batch, length, hidden_size], before the head."""
        length = ids.shape[1]
        cos, sin = (table[:length] for table in self.rotary)
        mask = torch.full((length, length), float("-inf")).triu(1)
        x = self.embed_tokens(ids)
        for layer in self.layers:
            x = layer(x, cos, sin, mask)
        return self.norm(x)

    def logits(self, hidden):
        return F.linear(hidden, self.embed_tokens.weight)
