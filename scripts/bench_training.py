"""Trainings of attention probes in PyTorch, for the benchmark (see bench_peers.py)."""

from __future__ import annotations

import math

import safetensors
import torch
import torch.nn.functional as F

try:
    import probelab
    import probelab.probes
except ImportError:
    probelab = None


class Padded:
    """Sequences of a file, padded once to the longest."""

    def __init__(self, path):
        with safetensors.safe_open(path, framework="pt") as file:
            states, offsets, self.labels = (file.get_tensor(name) for name in ("hidden_states", "offsets", "labels"))
        self.lengths = offsets.diff()
        self.mask = torch.arange(int(self.lengths.max())) < self.lengths[:, None]
        self.states = torch.zeros(*self.mask.shape, states.shape[1])
        self.states[self.mask] = states

    def probelab(self):
        return probelab.Activations.from_padded(self.states, attention_mask=self.mask)

    def batch(self, indices):
        longest = int(self.lengths[indices].max())
        return self.states[indices, :longest], self.mask[indices, :longest], self.labels[indices]


class Probe(torch.nn.Module):
    def __init__(self, width, heads, outputs):
        super().__init__()
        self.q = torch.nn.Parameter(torch.zeros(heads, width))
        self.v = torch.nn.Parameter(torch.randn(heads, outputs, width) / math.sqrt(width * heads))
        self.bias = torch.nn.Parameter(torch.zeros(heads, outputs))
        self.position = torch.nn.Parameter(torch.zeros(heads))

    def forward(self, states, mask):
        logits = states @ self.q.T + torch.arange(states.shape[1])[:, None] * self.position
        attention = logits.masked_fill(~mask[:, :, None], -torch.inf).softmax(dim=1)
        pooled = torch.einsum("nsh,nsd->nhd", attention, states)
        return torch.einsum("nhd,hod->no", pooled, self.v) + self.bias.sum(dim=0)


def loss(outputs, labels):
    if outputs.shape[1] == 1:
        return F.binary_cross_entropy_with_logits(outputs[:, 0], labels.float())
    return F.cross_entropy(outputs, labels)


def implementations(request):
    """What trains as the library does by default: AdamW, a cosine schedule. The result is the loss on other data."""
    training, held_out = Padded(request["activations"]), Padded(request["validation"])
    count, batches = len(training.lengths), math.ceil(len(training.lengths) / request["batch"])
    steps = request["epochs"] * batches

    @torch.inference_mode(False)
    @torch.enable_grad()
    def train(fused):
        torch.manual_seed(0)
        probe = Probe(training.states.shape[2], request["heads"], request["outputs"])
        weights, others = [probe.q, probe.v], [probe.bias, probe.position]
        optimizer = torch.optim.AdamW(
            [{"params": weights, "weight_decay": request["l2"]}, {"params": others, "weight_decay": 0.0}],
            lr=request["rate"], fused=fused)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 0.5 * (1 + math.cos(math.pi * t / steps)))
        for _ in range(request["epochs"]):
            for indices in torch.randperm(count).tensor_split(batches):
                states, mask, labels = training.batch(indices)
                optimizer.zero_grad()
                loss(probe(states, mask), labels).backward()
                optimizer.step()
                schedule.step()
        with torch.no_grad():
            every = torch.arange(len(held_out.lengths))
            states, mask, labels = held_out.batch(every)
            return loss(probe(states, mask), labels).reshape(1)

    @torch.inference_mode(False)
    @torch.enable_grad()
    def train_probelab():
        """probelab's attention probe by its own trainer: an MLP before one head, early stopping on a fifth of the data."""
        probe = probelab.probes.Attention(seed=0, device="cpu").fit(training.probelab(), training.labels)
        with torch.no_grad():
            return loss(probe.predict_logits(held_out.probelab()).reshape(-1, 1), held_out.labels).reshape(1)

    ways = {"PyTorch": lambda: train(None), "PyTorch, fused AdamW": lambda: train(True)}
    if probelab is not None and request["outputs"] == 1:
        ways["probelab"] = train_probelab
    return ways
