"""Starts a model with heads that look back already wired, so that training need not discover them.

Copying from the context takes two layers (Elhage et al., "A Mathematical Framework for Transformer Circuits", 2021; Olsson et
al., "In-context Learning and Induction Heads", 2022): heads of the first note beside each token which ones came before it,
heads of the second look for a place whose predecessors are the current tokens, and copy what stands there. Gradient descent
finds this by itself, but only after far more text than a CPU gets through in an evening. Here it is the starting point;
every weight is trained from there, those of the two layers' attention more gently than the others.

The residual stream starts as: one constant dimension, the token's own random code, and two copies of such codes, short,
for the token before and the one before that.
"""

import torch

_CONSTANT = 0
_CODE = slice(1, 121)
_BEFORE = [slice(121, 153), slice(153, 185)]
_NOTE = 32
_SCALE = 0.7


def _offset_head(attention, kv, offset, frequencies, note, generator_rows, target):
    """A key/value head whose queries attend `offset` tokens back, whatever the tokens are, and note their codes."""
    width, group = attention.width, attention.heads // attention.kv_heads
    half = width // 2
    # Fast rotations tell neighbours apart, slower ones keep far places from looking like near ones: so weighted, the
    # offset scores 1, its neighbours and all places up to 2,048 tokens away at most 0.8.
    strength = 0.7 ** torch.arange(half) * (torch.arange(half) < 12)
    strength = (strength / strength.sum()).sqrt()
    q = torch.zeros(width)
    q[:half] = strength
    angle = offset * frequencies
    k = torch.cat([strength * angle.cos(), strength * angle.sin()])
    rows = slice(kv * width, (kv + 1) * width)
    for head in range(kv * group, (kv + 1) * group):
        attention.q_proj.weight[head * width:(head + 1) * width].zero_()
        attention.q_proj.weight[head * width:(head + 1) * width, _CONSTANT] = q * note["gain"]
    attention.k_proj.weight[rows].zero_()
    attention.k_proj.weight[rows, _CONSTANT] = k * note["gain"]
    attention.v_proj.weight[rows].zero_()
    attention.v_proj.weight[kv * width:kv * width + _NOTE, _CODE] = generator_rows
    head = kv * group
    attention.o_proj.weight[target, head * width:head * width + _NOTE] = torch.eye(_NOTE) * note["copy"]


def _match_head(attention, kv, pairs, gain, decoder, copy):
    """A key/value head whose queries find places where `pairs` (of query and key) agree, and copy the token there."""
    width, group = attention.width, attention.heads // attention.kv_heads
    # Slow rotations only: what matches must match from any distance.
    slots = [*range(width // 4, width // 2), *range(width // 2 + width // 4, width)]
    rows = slice(kv * width, (kv + 1) * width)
    attention.k_proj.weight[rows].zero_()
    for head in range(kv * group, (kv + 1) * group):
        attention.q_proj.weight[head * width:(head + 1) * width].zero_()
    at = 0
    for query, key in pairs:
        count = query.shape[0]
        chosen = slots[at:at + count]
        at += count
        for head in range(kv * group, (kv + 1) * group):
            attention.q_proj.weight[[head * width + slot for slot in chosen]] = query * gain
        attention.k_proj.weight[[kv * width + slot for slot in chosen]] = key * gain
    attention.v_proj.weight[rows].zero_()
    attention.v_proj.weight[kv * width:kv * width + decoder.shape[0], _CODE] = decoder
    for head in range(kv * group, (kv + 1) * group):
        attention.o_proj.weight[_CODE, head * width:head * width + decoder.shape[0]] = decoder.T * copy


def _reads(place, rows, hidden):
    """A matrix that reads a part of the residual stream."""
    matrix = torch.zeros(rows.shape[0], hidden)
    matrix[:, place] = rows
    return matrix


def is_wired(name):
    """Whether a parameter belongs to heads that are wired."""
    return name.startswith(("layers.0.self_attn", "layers.1.self_attn"))


@torch.no_grad()
def wire(model, offset_gain=4.5, note_gain=1.1, match_gain=1.4, copy_gain=4.2, sharpness=0.08):
    hidden = model.config["hidden_size"]
    embedding = model.embed_tokens.weight
    embedding.normal_(std=_SCALE)
    embedding[:, _CONSTANT] = 3 * _SCALE
    embedding[:, _CODE.stop:] = 0
    embedding[:, _CODE] *= _SCALE * (_CODE.stop - _CODE.start) ** 0.5 / embedding[:, _CODE].norm(dim=1, keepdim=True)
    # Codes as long as this would make every guess a certainty.
    model.norm.weight.fill_(sharpness)
    codes = _CODE.stop - _CODE.start
    rotation = torch.linalg.qr(torch.randn(codes, codes))[0]
    short = rotation[:_NOTE]
    frequencies = model.config["rope_theta"] ** (-torch.arange(0, model.config["head_dim"], 2).float() / model.config["head_dim"])
    first, second = model.layers[0].self_attn, model.layers[1].self_attn
    note = {"gain": offset_gain, "copy": note_gain}
    for kv, target in enumerate(_BEFORE):
        _offset_head(first, kv, kv + 1, frequencies, note, short, target)
    eye = torch.eye(_NOTE)
    now, before, earlier = _reads(_CODE, short, hidden), _reads(_BEFORE[0], eye, hidden), _reads(_BEFORE[1], eye, hidden)
    _match_head(second, 0, [(now, before)], match_gain, rotation[:60], copy_gain)
    half = _NOTE // 2
    _match_head(second, 1, [(now[:half], before[:half]), (before[half:], earlier[half:])], match_gain, rotation[60:], copy_gain)
