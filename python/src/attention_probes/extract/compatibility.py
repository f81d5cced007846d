"""What differs between versions of torch (from 2.2) and transformers (from 4.45), in one place.

Nothing else in this package asks for a version.
"""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers.utils import is_torch_available
from transformers.utils.hub import cached_file, extract_commit_hash

from .failure import UNAVAILABLE, Failure

OLDEST = (4, 45)
_VERSION = tuple(int(part) for part in transformers.__version__.split(".")[:2])

# `torch.OutOfMemoryError` is its name from 2.5 on; all have it here.
OutOfMemoryError: type[RuntimeError] = torch.cuda.OutOfMemoryError

# What `from_pretrained` calls the type of a model's parameters: 4.56 gave it a new name, and later ones forget the old one.
DTYPE_OPTION = "dtype" if _VERSION >= (4, 56) else "torch_dtype"


def require_versions() -> None:
    """Refuses versions that do not go together, which would fail later and speak of something else."""
    if _VERSION < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise Failure(f"expected transformers {oldest} or later, found {transformers.__version__}", UNAVAILABLE)
    # transformers that need a later torch take it for missing.
    if not is_torch_available():
        raise Failure(
            f"expected a torch that transformers {transformers.__version__} takes, found {torch.__version__}: "
            "pip install 'transformers<5', or a later torch",
            UNAVAILABLE)
    # torch before 2.3 was compiled for NumPy 1, and takes no arrays of NumPy 2.
    try:
        torch.from_numpy(np.zeros(1))
    except RuntimeError as error:
        raise Failure(
            f"expected a NumPy that torch {torch.__version__} takes, found {np.__version__}: pip install 'numpy<2'",
            UNAVAILABLE) from error


def takes_mask(model: torch.nn.Module) -> bool:
    """Whether a model may be given an attention mask. Those that know none (FNet) refuse one in early versions."""
    parameters = inspect.signature(model.forward).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    return takes_any or "attention_mask" in parameters


def commit(name: str, revision: str | None) -> str | None:
    """The commit that a name on the hub stands for now, or in the cache without a network; None for a folder, or where it
    cannot be found out, which loading the model then explains.

    Only late versions of transformers tell a name's commit. That of a downloaded file is there in all, and the download
    notes in the cache which commit the name stands for, so that a run without a network finds it.
    """
    if Path(name).exists():
        return None
    try:
        found: str | None = extract_commit_hash(cached_file(name, "config.json", revision=revision), None)
    except OSError:
        return None
    return found
