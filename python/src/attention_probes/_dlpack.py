"""Arrays of other libraries through DLPack, read with ctypes: bfloat16 and float8 as well, which numpy has not."""
from __future__ import annotations

import ctypes
from ctypes import POINTER, Structure, c_int32, c_int64, c_uint8, c_uint16, c_uint64, c_void_p
from typing import Any

_CPU, _CUDA_HOST, _ROCM_HOST = 1, 3, 11
_DEVICES = {2: "CUDA", 4: "OpenCL", 7: "Vulkan", 8: "Metal", 10: "ROCm", 13: "CUDA managed", 14: "oneAPI"}
_KINDS = {0: "int", 1: "uint", 2: "float", 4: "bfloat", 5: "complex", 6: "bool"}
# Whose names say all.
_NAMES = {10: "float8_e4m3fn", 12: "float8_e5m2"}


class _Tensor(Structure):
    _fields_ = [
        ("data", c_void_p),
        ("device", c_int32),
        ("device_id", c_int32),
        ("rank", c_int32),
        ("code", c_uint8),
        ("bits", c_uint8),
        ("lanes", c_uint16),
        ("shape", POINTER(c_int64)),
        ("strides", POINTER(c_int64)),
        ("offset", c_uint64),
    ]


_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.argtypes, _pointer.restype = [ctypes.py_object, ctypes.c_char_p], c_void_p


class Borrowed:
    """Memory that an array lends: `address`, `dtype` ("float32", "bfloat16", …), `shape`, `strides` in bytes.

    The capsule is held and not consumed, so that it gives the memory back when this is gone.
    """

    __slots__ = ("address", "dtype", "shape", "strides", "capsule")

    def __init__(self, array: Any, where: str) -> None:
        device = int(array.__dlpack_device__()[0])
        if device not in (_CPU, _CUDA_HOST, _ROCM_HOST):
            name = _DEVICES.get(device, f"device {device}")
            raise ValueError(f"{where}: expected an array in the memory of the processor, found one on {name}; use .cpu()")
        # Tensors of torch that take part in a gradient lend nothing.
        detach = getattr(array, "detach", None)
        try:
            self.capsule = (array if detach is None else detach()).__dlpack__()
        except (BufferError, RuntimeError, TypeError) as fault:
            raise ValueError(f"{where}: expected an array that DLPack can lend, found {fault}") from fault
        tensor = _Tensor.from_address(_pointer(self.capsule, b"dltensor"))
        self.shape = tuple(tensor.shape[: tensor.rank])
        size = tensor.bits // 8
        kind = _KINDS.get(tensor.code, f"type {tensor.code} of")
        self.dtype = _NAMES.get(tensor.code) or ("bool" if kind == "bool" else f"{kind}{tensor.bits}")
        self.address = (tensor.data or 0) + tensor.offset
        if tensor.strides:
            self.strides = tuple(stride * size for stride in tensor.strides[: tensor.rank])
        else:
            steps, step = [], size
            for count in reversed(self.shape):
                steps.append(step)
                step *= count
            self.strides = tuple(reversed(steps))
