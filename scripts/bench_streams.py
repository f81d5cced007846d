"""Attention probes with running softmax state in PyTorch, for the benchmark (see bench_peers.py)."""

from __future__ import annotations

import safetensors
import torch


def implementations(request):
    """A token at a time to one text, and `count` tokens a step to as many of `open` texts.

    The state of a text and head is its largest logit m, s = Σ exp(l - m) and u = Σ exp(l - m)·v. Results are the outputs
    after the last token, or of the last step.
    """
    with safetensors.safe_open(request["probe"], framework="pt") as file:
        q, v, bias, position = (
            file.get_tensor(name).float() for name in ("q.weight", "v.weight", "v.bias", "position_weight")
        )
    with safetensors.safe_open(request["activations"], framework="pt") as file:
        x = file.get_tensor("hidden_states").float()
    heads, count, texts = len(q), request["count"], request["open"]
    weights = torch.cat([q, v]).T.contiguous()

    def empty(n):
        return torch.full((n, heads), -torch.inf), torch.zeros(n, heads), torch.zeros(n, heads)

    def advanced(tokens, positions, m, s, u):
        products = tokens @ weights
        logits = products[:, :heads] + positions[:, None] * position
        largest = torch.maximum(m, logits)
        scale, e = torch.exp(m - largest), torch.exp(logits - largest)
        return largest, s * scale + e, u * scale + e * products[:, heads:]

    def append():
        state = empty(1)
        for t in range(len(x)):
            state = advanced(x[t : t + 1], torch.tensor([float(t)]), *state)
            output = (state[2] / state[1] + bias).sum(1)
        return output

    generator = torch.Generator().manual_seed(3)
    steps = len(x) // count
    chosen = [torch.randperm(texts, generator=generator)[:count] for _ in range(steps)]

    def step():
        state, lengths = empty(texts), torch.zeros(texts)
        for i, ids in enumerate(chosen):
            tokens = x[i * count : (i + 1) * count]
            new = advanced(tokens, lengths[ids], *(part[ids] for part in state))
            for part, rows in zip(state, new):
                part[ids] = rows
            lengths[ids] += 1
            output = (new[2] / new[1] + bias).sum(1)
        return output

    return {"PyTorch, one token": append, "PyTorch, a step": step}
