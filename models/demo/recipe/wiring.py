"""Starts a model with heads that look back already wired, so that training need not discover them.

Copying from the context takes two layers (Elhage et al., "A Mathematical Framework for Transformer Circuits", 2021; Olsson et
al., "In-context Learning and Induction Heads", 2022): heads of the first note beside each token which ones came before it,
heads of the second look for a place whose predecessors are the current tokens, and copy what stands there. Gradient descent
finds this by itself, but only after far more text than a CPU gets through in an evening. Here it is the starting point;
every weight is trained from there, those of the wired layers' attention more gently than the others.

Looking up a fact is wired as well, half-way: heads of the first layer note what is being talked about, which is the mean of the rare
tokens among the last dozen, and heads of the third look for a place farther back where the same was talked about. Which word
there is the answer is left to training.

The residual stream starts as: one constant dimension, the token's own random code, two copies of such codes, short,
for the token before and the one before that, the topic, two dimensions that say whether the token begins with a space, and one for how rare it is. A token and its twin
with a space have the same code, so that what is copied need not stand in the same place of a sentence.
"""

import math

import torch

_CONSTANT = 0
_CODE = slice(1, 97)
_BEFORE = [slice(97, 125), slice(125, 153)]
_TOPIC = slice(153, 185)
_SPACED = slice(185, 187)
_RARE = 187
_NOTE = 28
_FAST = 14
_SCALE = 0.7


def _offset_head(attention, kv, offset, frequencies, note, generator_rows, target):
    """A key/value head whose queries attend `offset` tokens back, whatever the tokens are, and note their codes."""
    width, group = attention.width, attention.heads // attention.kv_heads
    half = width // 2
    # Fast rotations tell neighbours apart, slower ones keep far places from looking like near ones: so weighted, the
    # offset scores 1, its neighbours and all places up to 2,048 tokens away at most 0.8.
    strength = 0.7 ** torch.arange(half) * (torch.arange(half) < _FAST)
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


def _attend_by_distance(attention, head, frequencies, wanted, gain):
    """Queries that score the constant part of the keys by their distance, about as `wanted` says."""
    width = attention.width
    half = width // 2
    used = (torch.arange(half) < _FAST).nonzero().flatten()
    kv = head // (attention.heads // attention.kv_heads)
    keys = attention.k_proj.weight[kv * width:(kv + 1) * width, _CONSTANT]
    distance = torch.arange(2048.0)
    angles = distance[:, None] * frequencies[used]
    basis = torch.cat([angles.cos(), angles.sin(), torch.ones(2048, 1)], 1)
    # What is near matters more; and no large numbers that cancel each other.
    weight = torch.where(distance < 30, 10.0, 1.0)[:, None]
    small = 0.5 * torch.eye(basis.shape[1])
    target = torch.cat([wanted(distance)[:, None] * weight, torch.zeros(basis.shape[1], 1)])
    fit = torch.linalg.lstsq(torch.cat([basis * weight, small]), target).solution.flatten()
    even, odd = fit[:len(used)], fit[len(used):2 * len(used)]
    real, imaginary = keys[used], keys[half + used]
    power = real**2 + imaginary**2
    # A key turned back by the distance, seen by this query, scores even * cos + odd * sin.
    attention.q_proj.weight[head * width + used, _CONSTANT] = gain * (even * real + odd * imaginary) / power
    attention.q_proj.weight[head * width + half + used, _CONSTANT] = gain * (even * imaginary - odd * real) / power


def _topic_head(attention, kv, frequencies, code_rows, target, gain, rare_gain, copy):
    """
    Beside a head of `_offset_head`, whose keys it shares: its second query head attends to the last dozen tokens, to rare ones above all, and
    notes the mean of their codes, which is what is being talked about.
    """
    width, group = attention.width, attention.heads // attention.kv_heads
    head = kv * group + 1
    rows = head * width
    attention.q_proj.weight[rows:rows + width].zero_()
    _attend_by_distance(attention, head, frequencies, lambda distance: -9 * ((distance - 9) / 9).clamp(0, 1), gain)
    attention.q_proj.weight[rows + width // 2 - 1, _CONSTANT] = rare_gain
    attention.k_proj.weight[kv * width + width // 2 - 1, _RARE] = 1
    notes = code_rows.shape[0]
    attention.v_proj.weight[kv * width + _NOTE:kv * width + _NOTE + notes, _CODE] = code_rows
    attention.o_proj.weight[target, rows + _NOTE:rows + _NOTE + notes] = torch.eye(notes) * copy


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
    return name.startswith(("layers.0.self_attn", "layers.1.self_attn", "layers.2.self_attn"))


def rarity_of(counts, twins):
    """For each token 0 if it is one in a hundred or more often, up to 1 if it is one in 2,000 or rarer, with its twin."""
    counts = torch.tensor(counts, dtype=torch.float)
    both = counts.clone()
    for bare, spaced in twins:
        both[bare] = both[spaced] = counts[bare] + counts[spaced]
    return ((0.01 * counts.sum() / (both + 1)).log() / math.log(20)).clamp(0, 1)


@torch.no_grad()
def wire(model, twins, rarity, offset_gain=4.5, note_gain=1.1, match_gain=1.4, copy_gain=4.2, topic_gain=0.9, topic_match=6.0, away=70.0, sharpness=0.08):
    """`twins` are pairs of a token and the same after a space, `rarity` what `rarity_of` says."""
    hidden = model.config["hidden_size"]
    embedding = model.embed_tokens.weight
    embedding.normal_(std=_SCALE)
    embedding[:, _CONSTANT] = 3 * _SCALE
    embedding[:, _CODE.stop:] = 0
    for bare, spaced in twins:
        embedding[spaced, _CODE] = embedding[bare, _CODE]
    embedding[:, _SPACED] = -2 * _SCALE
    embedding[[spaced for _, spaced in twins], _SPACED] = 2 * _SCALE
    embedding[:, _RARE] = 3 * _SCALE * rarity
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
    topics = rotation[_NOTE:_NOTE + _TOPIC.stop - _TOPIC.start]
    _topic_head(first, 0, frequencies, topics, _TOPIC, topic_gain, 2.0, 1.0)
    eye = torch.eye(_NOTE)
    now, before, earlier = _reads(_CODE, short, hidden), _reads(_BEFORE[0], eye, hidden), _reads(_BEFORE[1], eye, hidden)
    _match_head(second, 0, [(now, before)], match_gain, rotation[:48], copy_gain)
    half = _NOTE // 2
    _match_head(second, 1, [(now[:half], before[:half]), (before[half:], earlier[half:])], match_gain, rotation[48:], copy_gain)
    topic = _reads(_TOPIC, torch.eye(_TOPIC.stop - _TOPIC.start), hidden)
    third = model.layers[2].self_attn
    for kv, part in enumerate((rotation[:48], rotation[48:])):
        _match_head(third, kv, [(topic, topic)], topic_match, part, 1.0)
        # What is talked about here is not found here.
        third.k_proj.weight[kv * third.width:kv * third.width + _FAST, _CONSTANT] = 1
        for head in (2 * kv, 2 * kv + 1):
            _attend_by_distance(third, head, frequencies, lambda distance: -away * ((16 - distance) / 8).clamp(0, 1), 0.55)
