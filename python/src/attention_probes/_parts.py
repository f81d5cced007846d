"""A probe of given parameters, as the bytes of a probe file."""
from __future__ import annotations

import json
from typing import Any, Mapping

import numpy as np

from ._safetensors import packed

# What a probe file says of a kind, with the usual values; those of None follow from the tensors.
HYPERPARAMETERS: dict[str, dict[str, Any]] = {
    "attention": {"heads": None, "hidden": None},
    "mlp-attention": {"heads": None, "units": None},
    "rolling-attention": {"heads": None, "window": 10, "units": 0},
    "multimax": {"heads": 8, "units": 0},
    "topk": {"k": 5},
    "softmax": {"temperature": 5.0},
    "rolling": {"window": 40},
    "ema": {"decay": 0.5},
    "swim": {"window": 16, "temperature": 1.0, "smoothing": "mean", "decay": 0.12},
    "sc-topk": {"k": 8, "window": 16, "temperature": 2.0, "coherence": 0.01},
    "tpc": {"order": None, "rank": 64},
    "mean": {}, "last": {}, "absmax": {}, "max": {}, "mass-mean": {}, "lda": {},
}

_WHOLE = frozenset({"heads", "hidden", "units", "k", "window", "order", "rank"})


def value_of(name: str, text: str) -> Any:
    """What the text of a hyperparameter in a probe file says."""
    return text if name == "smoothing" else int(text) if name in _WHOLE else float(text)


def probe_bytes(
    kind: str, tensors: Mapping[str, Any], *, task: str | None = None, classes: Any = None, threshold: float = 0.5,
    attention_function: str = "softmax", **given: Any
) -> bytes:
    """The bytes of a probe file; `ValueError` for what does not fit together."""
    if kind not in HYPERPARAMETERS:
        raise ValueError(f"kind: expected one of {', '.join(HYPERPARAMETERS)}, found {kind}")
    values = dict(HYPERPARAMETERS[kind])
    for name, value in given.items():
        if name not in values:
            raise ValueError(f"{name}: expected {', '.join(values) or 'none'} of {kind}, found {name}")
        if value is not None:
            values[name] = value
    arrays = {name: np.ascontiguousarray(np.asarray(value), np.float32) for name, value in tensors.items()}
    if "v.weight" not in arrays or arrays["v.weight"].ndim != 2:
        raise ValueError(f"tensors: expected v.weight of two dimensions, found {', '.join(arrays) or 'none'}")
    if "q.weight" in arrays and "heads" in values:
        values["heads"] = arrays["q.weight"].shape[0]
    if "hidden" in values:
        values["hidden"] = arrays["o.weight"].shape[1] if "o.weight" in arrays else 0
    if "units" in values and "mlp.0.weight" in arrays:
        values["units"] = arrays["mlp.0.weight"].shape[0]
    if "order" in values:
        factors = [array for name, array in arrays.items() if name.startswith("lambda.")]
        values["order"] = 1 + len(factors)
        if factors:
            values["rank"] = factors[0].shape[-1]
    for name, value in values.items():
        if value is None:
            raise ValueError(f"tensors: expected those of {kind}, from which {name} follows, found {', '.join(arrays)}")
    heads = int(values.get("heads", 1))
    rows = arrays["o.weight"].shape[0] if values.get("hidden") else arrays["v.weight"].shape[0] // max(1, heads)
    names = None if classes is None else [str(one) for one in classes]
    if task is None:
        if rows > 1 and names is None:
            raise ValueError(f"task: expected multiclass, multilabel or regression for {rows} outputs, found none")
        task = "binary" if rows == 1 else "multiclass"
    if names is None:
        names = ["0", "1"] if task == "binary" else [str(i) for i in range(rows)]
    # Exactly what the kind has, as texts.
    metadata = {
        "format": "attention-probes/probe", "version": "1", "kind": kind, "attention": attention_function, "heads": "1",
        "hidden": "0", "outputs": str(rows), "task": task,
    } | {name: str(value) for name, value in values.items()}
    if task != "regression":
        metadata["classes"] = json.dumps(names)
    if task in ("binary", "multilabel"):
        metadata["threshold"] = str(float(threshold))
    return packed(arrays, metadata)
