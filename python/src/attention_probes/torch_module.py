"""Probes of every kind as modules of torch, with the parameters and names of the probe file."""
from __future__ import annotations

from typing import Any, Mapping

import numpy as np
import torch
from torch import nn

from ._parts import value_of

_QUERIES = ("attention", "mlp-attention", "rolling-attention")


class ProbeModule(nn.Module):  # type: ignore[misc]
    """A probe: hidden states (L, D) to logits (O,), or (N, S, D) with a mask to (N, O).

    Parameters
    ----------
    kind : str
    width, outputs, heads : int
        D, O and H; H is 1 for kinds without heads.
    task, classes, threshold
        What the outputs mean; kept for `AttentionProbe.from_torch`.
    hyperparameters
        Those of the kind: `hidden`, `units`, `window`, `k`, `temperature`, `decay`, `coherence`, `smoothing`, `order`,
        `rank`.

    Notes
    -----
    `forward` is differentiable, in the type and on the device of the parameters. Padding may stand on both sides; tokens
    that the mask hides count as positions.
    """

    def __init__(
        self, kind: str, width: int, outputs: int, heads: int = 1, *, task: str = "binary", classes: Any = None,
        threshold: float = 0.5, attention_function: str = "softmax", **hyperparameters: Any
    ) -> None:
        super().__init__()
        self.kind, self.heads, self.outputs = kind, heads, outputs
        self.attention_function, self.hyperparameters = attention_function, hyperparameters
        hidden, inner = int(hyperparameters.get("hidden", 0)), width
        if int(hyperparameters.get("units", 0)):
            inner = int(hyperparameters["units"])
            self.mlp = nn.Sequential(nn.Linear(width, inner), nn.ReLU(), nn.Linear(inner, inner), nn.ReLU())
        if kind in _QUERIES:
            self.q = nn.Linear(inner, heads, bias=False)
        self.v = nn.Linear(inner, heads * (hidden or outputs))
        if kind in ("attention", "mlp-attention"):
            self.position_weight = nn.Parameter(torch.zeros(heads))
        if kind == "tpc":
            orders, rank = [str(k) for k in range(2, int(hyperparameters["order"]) + 1)], int(hyperparameters["rank"])
            self.u = nn.ModuleDict({k: nn.Linear(width, rank) for k in orders})
            self.add_module("lambda", nn.ParameterDict({k: nn.Parameter(torch.zeros(outputs, rank)) for k in orders}))
        if hidden:
            self.o = nn.Linear(hidden, outputs)
        own = {name: value for name, value in hyperparameters.items() if name not in ("hidden", "units", "order", "rank")}
        if kind == "multimax":
            own["heads"] = heads
        self.configuration = {
            "kind": kind, "task": task, "classes": classes, "threshold": threshold,
            "attention_function": attention_function, **own}

    @classmethod
    def of(cls, said: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> ProbeModule:
        """The module of a probe that is no ensemble, by its description and its tensors."""
        values = {name: value_of(name, text) for name, text in said["hyperparameters"].items() if name != "heads"}
        threshold = said.get("threshold")
        module = cls(
            said["kind"], said["width"] if "width" in said else _width(tensors), said["outputs"], said["heads"],
            task=said["task"], classes=said.get("classes"), threshold=0.5 if threshold is None else threshold,
            attention_function=said["attention"], **values)
        module.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()})
        return module

    def forward(self, states: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Logits. `mask` (L,) or (N, S): what the probe may look at, at least one token a sequence."""
        if states.dim() == 3:
            if mask is None:
                return torch.stack([self(one) for one in states])
            rows = []
            for one, seen in zip(states, mask):
                # The text is what lies between the paddings: its first token has position 0.
                places = seen.nonzero()
                start, end = int(places[0]), int(places[-1]) + 1
                rows.append(self(one[start:end], seen[start:end]))
            return torch.stack(rows)
        if states.dim() != 2:
            raise ValueError(f"states: expected (L, D) or (N, S, D), found {tuple(states.shape)}")
        positions = torch.arange(len(states), device=states.device)
        if mask is not None:
            seen = mask.to(torch.bool)
            states, positions = states[seen], positions[seen]
        states = states.to(self.v.weight.dtype)
        if hasattr(self, "mlp"):
            states = self.mlp(states)
        if self.kind in ("attention", "mlp-attention"):
            return self._attend(states, positions)
        if self.kind in ("mean", "last", "absmax", "mass-mean", "lda"):
            return self.v(self._pooled(states))
        if self.kind == "tpc":
            mean, factors = states.mean(0), getattr(self, "lambda")
            return self.v(mean) + sum(self.u[k](mean) ** int(k) @ factors[k].T for k in self.u)
        values = self.v(states).unflatten(-1, (self.heads, self.outputs))
        if self.kind == "rolling-attention":
            return self._roll(states, values)
        return self._scored(values).sum(0)

    def _attend(self, states: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        logits = self.q(states) + positions[:, None] * self.position_weight
        weights = logits.softmax(0) if self.attention_function == "softmax" else logits.tanh()
        values = self.v(states).unflatten(-1, (self.heads, -1))
        found = torch.einsum("th,tho->o", weights, values)
        return self.o(found.relu()) if hasattr(self, "o") else found

    def _pooled(self, states: torch.Tensor) -> torch.Tensor:
        if self.kind == "last":
            return states[-1]
        return states.abs().amax(0) if self.kind == "absmax" else states.mean(0)

    def _roll(self, states: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        # Attention over the last tokens at every token; the bias comes behind the maximum, which it does not move.
        logits, window = self.q(states), int(self.hyperparameters["window"])
        means = []
        for end in range(1, len(states) + 1):
            start = max(0, end - window)
            weights = logits[start:end].softmax(0)
            means.append(torch.einsum("th,tho->ho", weights, values[start:end]))
        return torch.stack(means).amax(0).sum(0)

    def _scored(self, z: torch.Tensor) -> torch.Tensor:
        # L×H×O to H×O.
        if self.kind in ("max", "multimax"):
            return z.amax(0)
        if self.kind == "topk":
            return self._largest(z)
        if self.kind == "softmax":
            return ((z / float(self.hyperparameters["temperature"])).softmax(0) * z).sum(0)
        if self.kind == "ema" or self.hyperparameters.get("smoothing") == "ema":
            return self._smoothed(z).amax(0)
        if self.kind in ("rolling", "swim", "sc-topk"):
            window = int(self.hyperparameters["window"])
            first = 1 if self.kind == "swim" else min(window, len(z))
            means = torch.stack([z[max(0, end - window) : end].mean(0) for end in range(first, len(z) + 1)])
            return self._largest(means) if self.kind == "sc-topk" else means.amax(0)
        raise ValueError(f"kind: expected one that is known, found {self.kind}")

    def _largest(self, z: torch.Tensor) -> torch.Tensor:
        return z.topk(min(len(z), int(self.hyperparameters["k"])), dim=0).values.mean(0)

    def _smoothed(self, z: torch.Tensor) -> torch.Tensor:
        decay, average, found = float(self.hyperparameters["decay"]), torch.zeros_like(z[0]), []
        for score in z:
            average = decay * score + (1 - decay) * average
            found.append(average)
        return torch.stack(found)


class EnsembleModule(nn.Module):  # type: ignore[misc]
    """A probe of parts: hidden states as `ProbeModule` takes them to the weighted sum of the parts' standardised logits.

    Attributes
    ----------
    parts : ModuleList of ProbeModule
    weights, shifts, scales, bias : Parameter
        (P,), (P, O), (P, O) and (O,): y = bias + Σ weights · (y_i - shifts) / scales.
    layers : list of int or None
        Which of several layers side by side in the states each part reads; None where all read all of the state.
    metadata : dict of str
        What the probe file says beside its tensors, for the way back; empty for a module that comes from none.
    """

    def __init__(self, parts: list[ProbeModule], outputs: int, layers: list[int] | None = None) -> None:
        super().__init__()
        self.layers = layers
        self.metadata: dict[str, str] = {}
        self.parts = nn.ModuleList(parts)
        self.weights = nn.Parameter(torch.full((len(parts),), 1 / len(parts)))
        self.shifts = nn.Parameter(torch.zeros(len(parts), outputs))
        self.scales = nn.Parameter(torch.ones(len(parts), outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))

    @classmethod
    def of(
        cls, said: Mapping[str, Any], tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]
    ) -> EnsembleModule:
        """The module of an ensemble, by its description, its tensors and the metadata of its file."""
        layers = [part.get("layer") for part in said["parts"]]
        own_layers = None if None in layers else layers
        # Parts that read one of several layers are as wide as that.
        width = said["width"] // (own_layers[-1] + 1 if own_layers else 1)
        parts = []
        for i, part in enumerate(said["parts"]):
            prefix = f"parts.{i}."
            own = {name[len(prefix):]: array for name, array in tensors.items() if name.startswith(prefix)}
            parts.append(ProbeModule.of({**said, **part, "width": width}, own))
        module = cls(parts, said["outputs"], own_layers)
        module.metadata = dict(metadata)
        module.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()})
        return module

    def forward(self, states: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Logits, as `ProbeModule.forward`."""
        seen = [states] * len(self.parts)
        if self.layers is not None:
            of_layer = states.chunk(self.layers[-1] + 1, dim=-1)
            seen = [of_layer[layer] for layer in self.layers]
        logits = [
            weight * (part(own, mask) - shift) / scale
            for part, own, weight, shift, scale in zip(self.parts, seen, self.weights, self.shifts, self.scales)]
        return self.bias + torch.stack(logits).sum(0)


def _width(tensors: Mapping[str, np.ndarray]) -> int:
    name = "mlp.0.weight" if "mlp.0.weight" in tensors else "v.weight"
    return int(tensors[name].shape[1])
