"""The structures and types of `attention_probes.h`, field by field."""
from __future__ import annotations

from ctypes import CFUNCTYPE, Structure, c_char_p, c_double, c_int, c_int32, c_int64, c_void_p

# ap_status
OK, USAGE, DATA, NO_INPUT, INTERNAL, IO, INTERRUPTED = 0, 64, 65, 66, 70, 74, 130

# ap_type
F32, F16, BF16, F64, F8_E4M3, F8_E5M2 = range(6)
TYPE_NAMES = {
    F32: "float32", F16: "float16", BF16: "bfloat16", F64: "float64", F8_E4M3: "float8_e4m3fn", F8_E5M2: "float8_e5m2"}
TYPE_SIZES = {F32: 4, F16: 2, BF16: 2, F64: 8, F8_E4M3: 1, F8_E5M2: 1}

# ap_task
TASKS = ("binary", "multiclass", "multilabel", "regression")

# ap_progress
Progress = CFUNCTYPE(c_int32, c_char_p, c_void_p)


class Shape(Structure):
    """ap_shape"""

    _fields_ = [
        ("width", c_int64),
        ("outputs", c_int64),
        ("heads", c_int64),
        ("task", c_int),
        ("attends", c_int32),
        ("has_entropies", c_int32),
        ("threshold", c_double),
    ]


class Batch(Structure):
    """ap_batch"""

    _fields_ = [
        ("states", c_void_p),
        ("type", c_int),
        ("tokens", c_int64),
        ("width", c_int64),
        ("stride", c_int64),
        ("sequences", c_int64),
        ("offsets", c_void_p),
        ("ends", c_void_p),
        ("mask", c_void_p),
        ("scales", c_void_p),
    ]


class Floats(Structure):
    """ap_floats"""

    _fields_ = [("values", c_void_p), ("count", c_int64)]


class Scores(Structure):
    """ap_scores"""

    _fields_ = [
        ("logits", Floats),
        ("probabilities", Floats),
        ("entropies", Floats),
        ("attention", Floats),
        ("contributions", Floats),
        ("prefix_logits", Floats),
    ]


class Known(Structure):
    """ap_known"""

    _fields_ = [
        ("classes", c_void_p),
        ("class_names", c_void_p),
        ("class_count", c_int64),
        ("values", c_void_p),
        ("value_count", c_int64),
        ("groups", c_void_p),
        ("weights", c_void_p),
        ("ids", c_void_p),
        ("token_texts", c_void_p),
        ("name", c_char_p),
    ]
