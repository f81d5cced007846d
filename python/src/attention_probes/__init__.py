"""Probes on the hidden states of language models: train, judge, run and stream them, without PyTorch.

>>> import numpy as np
>>> from attention_probes import AttentionProbe
>>> random = np.random.default_rng(0)
>>> y = np.arange(40) % 2
>>> X = [random.normal(label, 1, (12, 16)).astype(np.float32) for label in y]    # a list of (L, D)
>>> probe = AttentionProbe("mean").fit(X, y)
>>> probe.predict(X[:3])
array([0, 1, 0])
"""
from ._native import machine
from ._progress import Progress
from ._rows import CopyWarning
from .activations import Activations, read_activations, write_activations
from .data import Data, open_activations
from .estimator import AttentionProbe, score_probes
from .results import CalibrationResult, Evaluation, Report, Selection, TokenScores, Training
from .sequences import Sequences
from .stream import Stream
from .streams import Streams

__version__ = "0.1.0"

__all__ = [
    "Activations", "AttentionProbe", "CalibrationResult", "CopyWarning", "Data", "Evaluation", "Progress", "Report",
    "Selection", "Sequences", "Stream", "Streams", "TokenScores", "Training", "machine", "open_activations",
    "read_activations", "score_probes", "write_activations",
]
