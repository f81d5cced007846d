"""Probes in PyTorch and scikit-learn, timed for the benchmark, which runs this as a child process.

One JSON object a line, from standard input to standard output:

    {"command": "info"}    {"python": …, "torch": …, "threads": …, "cpu_capability": …, …}
    {"command": "load", "activations": PATH, "probe": PATH, "threads": 2}    {"names": [NAME, …]}
    {"command": "load folds", "activations": PATH, "penalties": […], "threads": 2}    {"names": [NAME, …]}
    {"command": "load search", "activations": PATH, "validation": PATH, "pools": […], "penalties": […], "threads": 2}  likewise
    {"command": "load streams", "activations": PATH, "probe": PATH, "count": 256, "open": 10000, "threads": 2}    likewise
    {"command": "load training", "activations": PATH, "validation": PATH, "heads": 8, "outputs": 1, "epochs": 30, "batch": 32,
        "rate": 0.001, "l2": 0.01, "threads": 2}    likewise
    {"command": "run", "name": NAME}    {"seconds": …, "result": [at most 4096 floats]}
    {"command": "quit"}    no reply

Anything that goes wrong is {"error": SENTENCE}. Both files are safetensors. `load` prepares all that
does not depend on the values of the hidden states, and that is not timed. A result is the outputs y, or the
loss and then the gradients of `PARAMETERS`. Making 16-bit hidden states float32 is timed.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import sys
import time

try:
    import numpy as np
    import safetensors
    import sklearn
    import threadpoolctl
    import torch
    import torch.nn.functional as F
    from sklearn.linear_model import LogisticRegression

    MISSING = None
except ImportError as error:
    MISSING = error

# Sequences of a padded batch, as the reference implementation and most training code have them.
BATCH_SEQUENCES = 256
# Floats of the largest tensor of a small padded batch: 16 MB are the fastest of 8 to 256.
SMALL_BATCH_FLOATS = 16 * 2**20 // 4
# Floats of packed tokens that stay in cache.
STACKED_FLOATS = 2 * 2**20 // 4
POOLED_FLOATS = 2**20 // 4
RESULT_LIMIT = 4096
PARAMETERS = ["q.weight", "v.weight", "v.bias", "position_weight"]


class Activations:
    def __init__(self, path):
        with safetensors.safe_open(path, framework="pt") as file:
            self.x = file.get_tensor("hidden_states")
            self.offsets = file.get_tensor("offsets")
            self.labels = file.get_tensor("labels") if "labels" in file.keys() else None
        self.lengths = self.offsets.diff()
        if len(self.lengths) == 0 or self.lengths.min() < 1:
            raise ValueError(f"{path} has no sequences, or one without tokens")
        # Of every token, its sequence and its position there.
        self.sequence = torch.arange(len(self.lengths)).repeat_interleave(self.lengths)
        self.positions = (torch.arange(len(self.x)) - self.offsets[self.sequence])[:, None]

    def pad(self):
        """The whole set padded to its longest sequence (N,S,D), and its mask (N,S)."""
        sequences = self.x.split(self.lengths.tolist())
        padded = torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True)
        return padded, torch.arange(padded.shape[1]) < self.lengths[:, None]


def batches_of(size, padded, mask):
    """Slices of the sequences, their padded tokens (n,S,D) and their masks (n,S)."""
    slices = [slice(start, start + size) for start in range(0, len(mask), size)]
    return [(rows, padded[rows], mask[rows]) for rows in slices]


def read_probe(path):
    with safetensors.safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        probe = {name: file.get_tensor(name).float() for name in file.keys()}
    kind = metadata.get("kind", "attention")
    names = {"attention": PARAMETERS, "mean": ["v.weight", "v.bias"]}.get(kind)
    softmax = metadata.get("attention", "softmax") == "softmax"
    if not softmax or names is None or set(names) != set(probe):
        raise ValueError(f"{path} is neither an attention probe with a softmax nor a mean probe")
    return kind, probe


def attend(x, mask, probe):
    """The outputs (n,O) of padded sequences, as the reference implementation computes them."""
    q, v, bias, position_weight = (probe[name] for name in PARAMETERS)
    x = x.float()
    keys = F.linear(x, q) + torch.arange(x.shape[1])[:, None] * position_weight
    attention = keys.masked_fill(~mask[..., None], -torch.inf).softmax(dim=1)
    values = F.linear(x, v, bias).unflatten(-1, (len(q), -1))
    return (attention[..., None] * values).sum(dim=(1, 2))


def padded_gradient(batches, labels, probe):
    """Mean loss and its gradient: binary cross-entropy for class indices, else squared error."""
    binary = not labels.is_floating_point()
    criterion = F.binary_cross_entropy_with_logits if binary else F.mse_loss
    targets = labels.float().view(len(labels), -1)
    parameters = {name: tensor.clone().requires_grad_() for name, tensor in probe.items()}

    def run():
        for parameter in parameters.values():
            parameter.grad = None
        total = torch.zeros(())
        for rows, x, mask in batches:
            output = attend(x, mask, parameters)
            loss = criterion(output, targets[rows], reduction="sum") / targets.numel()
            loss.backward()
            total += loss.detach()
        return torch.cat([total.view(1)] + [parameters[name].grad.flatten() for name in PARAMETERS])

    return run


def stacked_attention(data, probe):
    """Packed tokens, few outputs: one product with queries and values, then a segment softmax."""
    # Tried at D=768, H=8, 30,000 tokens: segment_reduce 10.7 ms, scatter_reduce and index_add 11.0,
    # index_reduce 13.5, padding the products 20 to 28, pooling 20, x padded and bmm 43.
    q, v, bias, position_weight = (probe[name] for name in PARAMETERS)
    heads, width = q.shape
    weights, output_bias = torch.cat([q, v]).T, bias.view(heads, -1).sum(0)
    rows = max(1, STACKED_FLOATS // width)
    buffer = torch.empty(rows, width)

    def products():
        if data.x.dtype == torch.float32:
            return data.x @ weights
        z = torch.empty(len(data.x), weights.shape[1])
        for x, out in zip(data.x.split(rows), z.split(rows)):
            torch.mm(buffer[: len(x)].copy_(x), weights, out=out)
        return z

    def segments(tensor, reduction):
        return torch.segment_reduce(tensor, reduction, lengths=data.lengths, axis=0)

    def run():
        z = products()
        logits = z[:, :heads] + data.positions * position_weight
        weight = (logits - segments(logits, "max")[data.sequence]).exp_()[..., None]
        sums = segments(weight * z[:, heads:].unflatten(1, (heads, -1)), "sum")
        return (sums / segments(weight, "sum")).sum(1) + output_bias

    return run


def pooled_attention(data, probe):
    """Packed tokens, many outputs: each head pools tokens, and the values are of the pooled ones."""
    # Tried at D=128, H=12, O=128, 30,000 tokens: a product a sequence 9.9 ms, without blocks 10.6,
    # block diagonal 10.5, gather and bmm 11.9, sparse CSR 14.9, embedding_bag 22, values first 157.
    q, v, bias, position_weight = (probe[name] for name in PARAMETERS)
    heads, width = q.shape
    output = v.view(heads, -1, width).transpose(1, 2).flatten(0, 1).contiguous()
    output_bias = bias.view(heads, -1).sum(0)
    blocks = sequence_blocks(data.offsets.tolist(), max(1, POOLED_FLOATS // width))

    def run():
        pooled = torch.empty(len(data.lengths), heads, width)
        for first, tokens, lengths in blocks:
            x = data.x[tokens].float()
            logits = torch.addmm(data.positions[tokens] * position_weight, x, q.T)
            sequences = zip(x.split(lengths), logits.split(lengths))
            for index, (part, logit) in enumerate(sequences, first):
                torch.mm(logit.T.softmax(1), part, out=pooled[index])
        return torch.addmm(output_bias, pooled.flatten(1), output)

    return run


def sequence_blocks(offsets, limit):
    """Runs of whole sequences up to `limit` tokens: first sequence, slice of tokens, lengths."""
    blocks, first = [], 0
    for end in range(1, len(offsets)):
        if end + 1 == len(offsets) or offsets[end + 1] - offsets[first] > limit:
            lengths = [offsets[n + 1] - offsets[n] for n in range(first, end)]
            blocks.append((first, slice(offsets[first], offsets[end]), lengths))
            first = end
    return blocks


def padded_mean(data, probe):
    def output(rows, x, mask):
        mean = (x.float() * mask[..., None]).sum(1) / data.lengths[rows, None]
        return F.linear(mean, probe["v.weight"], probe["v.bias"])

    batches = batches_of(BATCH_SEQUENCES, *data.pad())
    return lambda: torch.cat([output(*batch) for batch in batches])


def sklearn_mean(data, probe):
    model = LogisticRegression()
    model.coef_, model.intercept_ = probe["v.weight"].numpy(), probe["v.bias"].numpy()
    model.classes_, model.n_features_in_ = np.array([0, 1]), data.x.shape[1]
    starts, lengths = data.offsets[:-1].numpy(), data.lengths.float().numpy()[:, None]

    def run():
        sums = np.add.reduceat(data.x.float().numpy(), starts, axis=0)
        return torch.from_numpy(model.decision_function(sums / lengths))

    return run


def attention_implementations(data, probe):
    outputs = len(probe["v.weight"]) // len(probe["q.weight"])
    packed = stacked_attention if outputs <= 2 else pooled_attention  # pooling wins from O = 4 on
    implementations = {"PyTorch packed": packed(data, probe)}
    padded, mask = data.pad()
    largest = padded.shape[1] * max(probe["v.weight"].shape)
    sizes = {"padded": BATCH_SEQUENCES, "small batches": max(1, SMALL_BATCH_FLOATS // largest)}
    for name, size in sizes.items():
        batches = batches_of(size, padded, mask)
        implementations["PyTorch " + name] = padded_forward(batches, probe)
        # Class indices are as many as the outputs only if a sequence has one output.
        if data.labels is not None and data.labels.numel() == len(data.lengths) * outputs:
            gradient = padded_gradient(batches, data.labels, probe)
            implementations[f"PyTorch {name}, loss and gradient"] = gradient
    return implementations


def padded_forward(batches, probe):
    return lambda: torch.cat([attend(x, mask, probe) for _, x, mask in batches])


def load(request):
    torch.set_num_threads(request["threads"])
    threadpoolctl.threadpool_limits(request["threads"], user_api="blas")
    kind, probe = read_probe(request["probe"])
    data = Activations(request["activations"])
    if probe["v.weight"].shape[1] != data.x.shape[1]:
        raise ValueError("the probe and the hidden states differ in width")
    if kind == "attention":
        return attention_implementations(data, probe)
    implementations = {"PyTorch padded": padded_mean(data, probe)}
    if len(probe["v.bias"]) == 1:
        implementations["scikit-learn"] = sklearn_mean(data, probe)
    return implementations


def run(name, implementation):
    with torch.set_grad_enabled("gradient" in name), torch.inference_mode("gradient" not in name):
        start = time.perf_counter()
        result = implementation()
        seconds = time.perf_counter() - start
    return {"seconds": seconds, "result": result.flatten()[:RESULT_LIMIT].tolist()}


def answer(request, implementations):
    if MISSING:
        raise ImportError(f"{MISSING}: this comparison needs what pip install torch numpy scikit-learn safetensors gives")
    command = request["command"]
    if command == "info":
        return {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "scikit-learn": sklearn.__version__,
            "threads": torch.get_num_threads(),
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        }
    if command.startswith("load"):
        implementations.clear()  # before loading: two sets may not fit in memory
        if command == "load":
            implementations.update(load(request))
        else:
            module = importlib.import_module(command.replace("load ", "bench_"))  # folds, search, streams and training
            torch.set_num_threads(request["threads"])
            threadpoolctl.threadpool_limits(request["threads"], user_api="blas")
            implementations.update(module.implementations(request))
        return {"names": list(implementations)}
    if command == "run":
        if request["name"] not in implementations:
            raise ValueError(f"no implementation {request['name']} is loaded")
        return run(request["name"], implementations[request["name"]])
    raise ValueError(f"unknown command {command}")


def main():
    # Replies get a descriptor of their own, and what libraries print goes to standard error.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    implementations = {}
    for line in sys.stdin:
        try:
            request = json.loads(line)
            if request["command"] == "quit":
                break
            reply = json.dumps(answer(request, implementations), allow_nan=False)
        except Exception as error:
            reply = json.dumps({"error": f"{type(error).__name__}: {error}"})
        print(reply, file=replies, flush=True)


if __name__ == "__main__":
    main()
