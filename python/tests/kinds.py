"""A probe of every kind with random parameters."""
import numpy as np

import attention_probes as ap

# Name: kind, heads, and what its tensors do not say.
KINDS = {
    "attention": ("attention", 3, {}),
    "attention-tanh": ("attention", 3, {"attention_function": "tanh"}),
    "attention-hidden": ("attention", 2, {"hidden": 5}),
    "mlp-attention": ("mlp-attention", 2, {"units": 6}),
    "rolling-attention": ("rolling-attention", 2, {"window": 3}),
    "multimax": ("multimax", 3, {"heads": 3}),
    "multimax-units": ("multimax", 3, {"heads": 3, "units": 6}),
    "rolling-attention-units": ("rolling-attention", 2, {"window": 3, "units": 6}),
    "mean": ("mean", 1, {}),
    "last": ("last", 1, {}),
    "absmax": ("absmax", 1, {}),
    "max": ("max", 1, {}),
    "topk": ("topk", 1, {"k": 3}),
    "softmax": ("softmax", 1, {"temperature": 2.0}),
    "rolling": ("rolling", 1, {"window": 4}),
    "ema": ("ema", 1, {"decay": 0.25}),
    "swim": ("swim", 1, {"window": 4}),
    "swim-ema": ("swim", 1, {"smoothing": "ema", "decay": 0.25}),
    "sc-topk": ("sc-topk", 1, {"window": 4, "k": 3}),
    "tpc": ("tpc", 1, {}),
    "mass-mean": ("mass-mean", 1, {}),
    "lda": ("lda", 1, {}),
}


def probe_of(name, width=16, outputs=1, seed=3):
    """A probe of a kind; of several outputs one for several labels."""
    random = np.random.default_rng(seed)
    kind, heads, known = KINDS[name]
    known = dict(known)
    hidden, units = known.pop("hidden", 0), known.pop("units", 0)
    inner = units or width

    def draw(*shape):
        return random.standard_normal(shape, dtype=np.float32) / np.sqrt(shape[-1])

    tensors = {"v.weight": draw(heads * (hidden or outputs), inner), "v.bias": draw(heads * (hidden or outputs))}
    if "attention" in kind:
        tensors["q.weight"] = draw(heads, inner)
    if kind in ("attention", "mlp-attention"):
        tensors["position_weight"] = draw(heads) / 4
    if hidden:
        tensors |= {"o.weight": draw(outputs, hidden), "o.bias": draw(outputs)}
    if units:
        tensors |= {"mlp.0.weight": draw(units, width), "mlp.0.bias": draw(units),
                    "mlp.2.weight": draw(units, units), "mlp.2.bias": draw(units)}
    if kind == "tpc":
        for k in (2, 3):
            tensors |= {f"u.{k}.weight": draw(4, width), f"u.{k}.bias": draw(4), f"lambda.{k}": draw(outputs, 4)}
    task = "multilabel" if outputs > 1 else "binary"
    return ap.AttentionProbe.from_parameters(kind, tensors, task=task, **known)
