"""Probes over many machines: shards of activations scored, and selections trained, by the workers of a Ray cluster.

Ray does the spreading, the retries, the placement and the back-pressure; each worker runs one engine of this package.
Hidden states never pass through Ray's object store: a worker opens its shard where it lies, or fetches it from an object
store into its own temporary folder, and writes the scores of that shard as one Parquet file.

    pip install 'attention-probes[ray]'            # on every machine of the cluster

Needs this package, at one version, on every machine, and paths that every machine can read.
"""
try:
    import pyarrow.parquet  # noqa: F401
    import ray.data  # noqa: F401
except ImportError as fault:
    raise ImportError(f"{fault}: pip install 'attention-probes[ray]'") from fault

from .evaluation import evaluate, evaluate_scores
from .scoring import Scored, score
from .training import Trained, train

__all__ = ["Scored", "Trained", "evaluate", "evaluate_scores", "score", "train"]
