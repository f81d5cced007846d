"""A seeded random projection to another width, which roughly keeps distances (Johnson and Lindenstrauss).

Its entries are independent normal numbers divided by √WIDTH, drawn from NumPy's `RandomState`, whose
stream NumPy promises never to change: seed and width in a file's metadata say all of it.
"""

from __future__ import annotations

import json

import numpy as np
import torch


class Projection:
    """x·P, with P of shape (D, width)."""

    def __init__(self, width: int, seed: int) -> None:
        self.width, self.seed = width, seed
        self._matrices: dict[tuple[int, torch.device], torch.Tensor] = {}

    def __call__(self, states: torch.Tensor) -> torch.Tensor:
        key = (states.shape[-1], states.device)
        if key not in self._matrices:
            normal = np.random.RandomState(self.seed).standard_normal((key[0], self.width))
            self._matrices[key] = torch.from_numpy(normal / self.width**0.5).float().to(states.device)
        return states.float() @ self._matrices[key]

    def description(self, width: int) -> str:
        """For the metadata of a file of states that were so wide before."""
        return json.dumps(
            {
                "from": width,
                "to": self.width,
                "seed": self.seed,
                "entries": "RandomState.standard_normal / sqrt(to)",
            }
        )
