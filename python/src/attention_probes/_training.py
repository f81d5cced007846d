"""Fitting: `fit` and `select`."""
from __future__ import annotations

import ctypes
import json
import os
from typing import Any

import numpy as np

from ._inputs import as_sequences
from ._labels import Labels, class_name, labels_of, weights_of
from ._native import Handle, lib, take_text
from ._options import options
from ._outputs import activation_files, refuse_input
from ._probe import NativeProbe
from ._progress import Watch
from ._saving import Saving
from .data import Data, is_path, open_activations
from .results import Selection, Training

# Constructor arguments that are no options of the library, or have another name there.
_OWN = frozenset({"attention_function", "positive", "verbose", "callback"})


class Fitting(Saving):
    """The part of an estimator that makes a probe of data."""

    def fit(
        self, X: Any, y: Any = None, *, groups: Any = None, sample_weight: Any = None, validation: Any = None,
        offsets: Any = None, mask: Any = None, pooled: bool = False, ids: Any = None, token_texts: Any = None
    ) -> Any:
        """Trains a probe.

        Parameters
        ----------
        X : N sequences in any form; see the notes of the class
        y : array (N,) or (N, O), or a path
            Classes, numbers to predict, probabilities of the second class with task="binary", or 0 and 1 for several labels.
            Of files the path of a table, or None for the labels that they have.
        groups : array (N,), optional
            Sequences of one group are never split between training and validation.
        sample_weight : array (N,), optional
            How much a sequence counts; those of 0 are left out.
        validation : (X, y), path or Data, optional
            For early stopping.
        offsets, mask, pooled
            As in `Sequences`.
        ids, token_texts : list, optional
            Names of the sequences, and a list of texts of tokens each.

        Returns
        -------
        AttentionProbe
            Itself. What was trained before stays where there is an error.

        Raises
        ------
        ValueError
            What was expected, what was found and where.
        KeyboardInterrupt
            After Ctrl-C, with the best probe so far kept, if there is one.
        """
        data, labels = self._data(
            X, y, groups=groups, sample_weight=sample_weight, offsets=offsets, mask=mask, pooled=pooled, ids=ids,
            token_texts=token_texts)
        held = None if validation is None else self._validation(validation, labels)
        said = self._options()
        probe, result, watch = self._run(
            lambda progress, probe, text: lib().ap_train(
                data._handle.value, None if held is None else held._handle.value, said, progress, None, probe, text))
        self._adopt(probe, labels)
        self._read = data._paths if held is None else data._paths + held._paths
        self.training_, self.selection_, self.calibration_ = Training._of(result), None, None
        return self._done(watch)

    def select(
        self, X: Any, y: Any = None, *, groups: Any = None, sample_weight: Any = None, folds: int | None = None,
        metric: str | None = None, fpr: float | None = None, confidence: float | None = None,
        streaming: bool | None = None, calibration: str | None = None, group: str | None = None,
        max_rows: int | None = None, layers_each: Any = None, journal: str | os.PathLike[str] | None = None,
        offsets: Any = None, mask: Any = None, pooled: bool = False, ids: Any = None, token_texts: Any = None
    ) -> Any:
        """Chooses a probe by cross-validation, groups whole, and trains it on all sequences.

        Constructor arguments that are lists span a grid; with kind=None it is a grid of kinds.

        Parameters
        ----------
        folds : int, optional
        metric : str, optional
            What to choose by: "auroc", "accuracy", "r2", …
        fpr, confidence, streaming : optional
            The threshold: at most this fraction of new negatives at or above it, with this confidence; for a monitor that
            looks after every token.
        calibration : {"platt", "isotonic", "none"}, optional
        group : str, optional
            How sequences without groups are grouped.
        max_rows : int, optional
            Rows of weights that an ensemble of candidates may multiply a token with; 0 for no ensembles.
        layers_each : "all" or list of int, optional
            Of states of several layers, side by side (`open_activations(layers_each=…)`) or in files at the paths X: selects
            on each of these layers in the same way and takes the earliest within one standard error of the best, or an
            ensemble across layers. `selection_.values["layers"]` has the metric of each.
        journal : path, optional
            Where finished trainings are kept, so that an interrupted selection goes on.

        Returns
        -------
        AttentionProbe
            Itself; `selection_` is the table.
        """
        if layers_each is not None and is_path(X) and (y is None or isinstance(y, (str, os.PathLike))):
            X, y = open_activations(X, labels=y, layers_each=layers_each, task=self.get_params()["task"]), None
        data, labels = self._data(
            X, y, groups=groups, sample_weight=sample_weight, offsets=offsets, mask=mask, pooled=pooled, ids=ids,
            token_texts=token_texts)
        said = self._options(
            folds=folds, metric=metric, fpr=fpr, confidence=confidence, streaming=streaming, calibration=calibration,
            group=group, max_rows=max_rows, layers_each=layers_each)
        if journal is not None:
            refuse_input(journal, activation_files(data._paths), "journal")
        path = None if journal is None else os.fsencode(journal)
        probe, result, watch = self._run(
            lambda progress, probe, text: lib().ap_select(
                data._handle.value, said, path, progress, None, probe, text))
        self._adopt(probe, labels)
        self._read = data._paths
        self.training_, self.selection_, self.calibration_ = None, Selection._of(result), None
        return self._done(watch)

    # What the parts below use.

    def _options(self, **more: Any) -> bytes:
        params = self.get_params()
        positive = params["positive"]
        return options(
            **{name: value for name, value in params.items() if name not in _OWN},
            attention=params["attention_function"], positive=None if positive is None else class_name(positive), **more)

    def _data(
        self, X: Any, y: Any, *, groups: Any = None, sample_weight: Any = None, offsets: Any = None, mask: Any = None,
        pooled: bool = False, ids: Any = None, token_texts: Any = None, known: np.ndarray | None = None,
        task: str | None = None, needs_labels: bool = True, where: str = "X", name: str | None = None
    ) -> tuple[Data, Labels | None]:
        given = {"groups": groups, "sample_weight": sample_weight, "offsets": offsets, "mask": mask, "ids": ids,
                 "token_texts": token_texts}
        if isinstance(X, Data) or is_path(X):
            for name, value in given.items():
                if value is not None:
                    raise ValueError(f"{name}: expected none beside files, which have their own, found some")
            if isinstance(X, Data):
                if y is not None:
                    raise ValueError("y: expected none beside Data, found some; open_activations takes labels")
                return X, None
            if y is not None and not isinstance(y, (str, os.PathLike)):
                raise ValueError("y: expected a path to a table of labels, or none, beside files, found an array")
            return open_activations(X, labels=y), None
        if needs_labels:
            self._require(y)
        sequences = as_sequences(
            X, where, offsets=offsets, mask=mask, pooled=pooled, linear=self._takes_vectors())
        count = len(sequences)
        task = task or self.get_params()["task"]
        labels = None if y is None else labels_of(y, count, task=task, known=known)
        if sample_weight is not None:
            sample_weight = weights_of(sample_weight, count)
            if (sample_weight == 0).any():
                kept = np.flatnonzero(sample_weight)
                if len(kept) == 0:
                    raise ValueError("sample_weight: expected one above zero, found none")
                if token_texts is not None and len(token_texts) == count != sequences.tokens:
                    token_texts = _some(token_texts, kept)
                # Texts of all tokens belong to rows, which stay where they are.
                return self._data(
                    sequences[kept], None if y is None else np.asarray(y)[kept], groups=_some(groups, kept),
                    sample_weight=sample_weight[kept], ids=_some(ids, kept), token_texts=token_texts,
                    known=known, task=task, needs_labels=needs_labels, name=name)
        return Data._create(
            sequences, labels, groups=groups, weights=sample_weight, ids=ids, token_texts=token_texts, name=name), labels

    def _require(self, y: Any) -> None:
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")

    def _validation(self, validation: Any, labels: Labels | None) -> Data:
        return self._other(validation, "validation", known=None if labels is None else labels.originals)

    def _other(self, given: Any, argument: str, *further: str, **known: Any) -> Data:
        """Further data with their labels: (X, y), with what else there may be behind y, a path or Data."""
        if isinstance(given, Data) or is_path(given):
            return self._data(given, None)[0]
        forms = ["(X, y)", *(f"(X, y, {name})" for name in further), "a path or Data"]
        if not isinstance(given, (tuple, list)):
            raise ValueError(f"{argument}: expected {', '.join(forms)}, found {type(given).__name__}")
        if not 2 <= len(given) <= 2 + len(further):
            raise ValueError(f"{argument}: expected {', '.join(forms)}, found a {type(given).__name__} of {len(given)}")
        return self._data(given[0], given[1], where=f"X of {argument}", **dict(zip(further, given[2:])), **known)[0]

    def _run(self, call: Any) -> tuple[NativeProbe, dict[str, Any], Watch]:
        """Calls something that makes a probe and a text, with progress."""
        params = self.get_params()
        handle, text = ctypes.c_void_p(), ctypes.c_void_p()
        watch = Watch(params["verbose"], params["callback"])
        watch.run(
            lambda: call(watch.function, ctypes.byref(handle), ctypes.byref(text)),
            (handle, lib().ap_probe_free), (text, lib().ap_text_free))
        probe = NativeProbe(Handle(handle, lib().ap_probe_free))
        return probe, json.loads(take_text(text)), watch

    def _adopt(self, probe: NativeProbe, labels: Labels | None) -> None:
        """Becomes an estimator with this probe."""
        self._probe = probe
        self.n_features_in_ = probe.width
        self._order = None
        names = probe.said.get("classes")
        if probe.task == "regression" or names is None:
            self.__dict__.pop("classes_", None)
            return
        if labels is not None and labels.originals is not None and labels.names is not None:
            places = {name: i for i, name in enumerate(labels.names)}
            self.classes_ = labels.originals[[places[name] for name in names]]
        else:
            self.classes_ = classes_named(names)
        self._sort_classes()

    def _done(self, watch: Watch) -> Any:
        if watch.interrupted:
            raise KeyboardInterrupt("interrupted; the estimator keeps the best probe so far")
        return self


def classes_named(names: list[str]) -> np.ndarray:
    """Classes by the names in a probe file: whole numbers where all are."""
    try:
        numbers = [int(name) for name in names]
    except ValueError:
        return np.array(names)
    return np.array(numbers if [str(one) for one in numbers] == names else names)


def _some(values: Any, kept: np.ndarray) -> Any:
    if values is None:
        return None
    values = list(values)
    return [values[i] for i in kept.tolist()]


