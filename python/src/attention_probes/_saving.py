"""A probe as a file, as bytes, as parameters and as a module of torch."""
from __future__ import annotations

import os
from typing import Any, Mapping

import numpy as np

from ._outputs import activation_files, refuse_input
from ._parameters import Parameters
from ._parts import probe_bytes, value_of
from ._probe import NativeProbe
from ._safetensors import metadata_of, packed


class Saving(Parameters):
    """The part of an estimator that keeps its probe."""

    # Paths of what it was fitted and calibrated on.
    _read: tuple[str, ...] = ()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a probe file, which the command line and every other interface read.

        `ValueError` for a path at which there is a file that it was fitted or calibrated on.
        """
        refuse_input(path, activation_files(self._read), "path")
        self._fitted().save(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Any:
        """Reads a probe file; `FileNotFoundError` where there is none, `ValueError` where it breaks the format."""
        return cls._with(NativeProbe.load(path))

    def to_bytes(self) -> bytes:
        """The bytes of a probe file."""
        return self._fitted().to_bytes()

    @classmethod
    def from_bytes(cls, content: bytes) -> Any:
        """Reads the bytes of a probe file."""
        return cls._with(NativeProbe.from_bytes(bytes(content)))

    @classmethod
    def _with(cls, probe: NativeProbe) -> Any:
        said = probe.said
        arguments: dict[str, Any] = {"kind": said["kind"]}
        for name, text in said["hyperparameters"].items():
            arguments[name] = value_of(name, text)
        if said["kind"] == "attention":
            arguments["attention_function"] = said["attention"]
        self: Any = cls(**arguments)
        self._adopt(probe, None)
        self.training_ = self.selection_ = self.calibration_ = None
        return self

    @property
    def description_(self) -> dict[str, Any]:
        """All that the probe file says: "kind", "classes", "hyperparameters", "threshold", "training", …"""
        return self._fitted().said

    @property
    def parameters_(self) -> dict[str, Any]:
        """The tensors of the probe file by their names, float32."""
        return self._fitted().tensors()

    @classmethod
    def from_parameters(
        cls, kind: str, tensors: Mapping[str, Any], *, task: str | None = None, classes: Any = None,
        threshold: float = 0.5, attention_function: str = "softmax", **hyperparameters: Any
    ) -> Any:
        """A probe of given parameters.

        Parameters
        ----------
        kind : str
        tensors : dict of arrays
            By the names of the probe file: "q.weight" (H, D), "v.weight" (H·O, D), "v.bias" (H·O), "position_weight" (H), …
        task, classes, threshold : optional
            Binary with the classes 0 and 1 where there is one output.
        hyperparameters
            Those of the kind that do not follow from the tensors: `window`, `k`, `temperature`, `decay`, `coherence`,
            `smoothing`.

        Examples
        --------
        >>> import numpy as np
        >>> from attention_probes import AttentionProbe
        >>> probe = AttentionProbe.from_parameters("last", {"v.weight": np.ones((1, 4)), "v.bias": [-1]})
        >>> probe.decision_function([np.eye(2, 4, dtype=np.float32)])
        array([0.], dtype=float32)
        """
        return cls.from_bytes(probe_bytes(
            kind, tensors, task=task, classes=classes, threshold=threshold, attention_function=attention_function,
            **hyperparameters))

    def to_torch(self) -> Any:
        """A `torch.nn.Module` with the same parameters, under the names of the probe file.

        A `ProbeModule`, or an `EnsembleModule` of them. Its logits are those of the probe file: of two classes above 0 for
        `positive_`, of more in the order of `description_["classes"]`.
        """
        from .torch_module import EnsembleModule, ProbeModule

        probe = self._fitted()
        if not probe.said.get("parts"):
            return ProbeModule.of(probe.said, probe.tensors())
        return EnsembleModule.of(probe.said, probe.tensors(), metadata_of(probe.to_bytes()))

    @classmethod
    def from_torch(cls, module: Any, kind: str | None = None, **known: Any) -> Any:
        """A probe with the parameters of a module.

        Parameters
        ----------
        module : ProbeModule, EnsembleModule, or torch.nn.Module
            An ensemble is one that `to_torch` made. Calibration and the rule of a threshold, which are of the probe as it was,
            are left behind. Of another module `state_dict` has the names of the probe file.
        kind : str, optional
            Needed for a module that is no `ProbeModule`.
        known
            What `from_parameters` takes, in place of what the module says.
        """
        tensors = {name: value.detach().cpu().float().numpy() for name, value in module.state_dict().items()}
        metadata = getattr(module, "metadata", None)
        if metadata and kind is None:
            if known:
                raise ValueError(f"{', '.join(known)}: expected none beside an ensemble, which has its own")
            kept = {
                name: text for name, text in metadata.items()
                if not name.startswith("calibration") and name != "threshold_rule"}
            return cls.from_bytes(packed(tensors, kept))
        said = dict(getattr(module, "configuration", {}))
        if kind is None:
            if "kind" not in said:
                raise ValueError(f"kind: expected one beside a {type(module).__name__}, found none")
            kind = said["kind"]
        said.pop("kind", None)
        return cls.from_parameters(str(kind), tensors, **(said | known))

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        probe = state.pop("_probe", None)
        if probe is not None:
            state["_probe_bytes"] = probe.to_bytes()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        content = state.pop("_probe_bytes", None)
        self.__dict__.update(state)
        if content is not None:
            self._probe = NativeProbe.from_bytes(content)
            # What was pickled when classes had the order of the file.
            if "_order" not in state:
                self._sort_classes()

    def _sort_classes(self) -> None:
        """Puts classes that stand as in the probe file into their order, which scikit-learn takes for granted."""
        self._order = None
        found, probe = getattr(self, "classes_", None), self._probe
        if found is not None and probe and probe.task != "multilabel" and (np.sort(found) != found).any():
            self._order = np.argsort(found)
            self.classes_ = found[self._order]
