"""Judging a fitted probe: `evaluate`, `calibrate` and `report`."""
from __future__ import annotations

import ctypes
import json
import os
from typing import Any

from ._native import lib, take_text
from ._options import options
from ._outputs import activation_files, refuse_input
from ._progress import Watch
from ._training import Fitting
from .data import Data
from .results import CalibrationResult, Evaluation, Report


class Judging(Fitting):
    """The part of an estimator that says how well its probe does."""

    verbose: Any
    callback: Any

    def evaluate(
        self, X: Any, y: Any = None, *, bootstrap: int | None = None, documents: int | None = None,
        streaming: bool | None = None, controls: Any = None, confound: str | None = None, seed: int | None = None,
        groups: Any = None, sample_weight: Any = None, offsets: Any = None, mask: Any = None, pooled: bool = False,
        ids: Any = None, token_texts: Any = None
    ) -> Evaluation:
        """Metrics with their intervals, by the definitions of scikit-learn.

        Parameters
        ----------
        X, y
            As in `fit`; a class that the probe does not have is a `ValueError`.
        bootstrap : int, optional
            Resamples for the intervals; 0 for none, else 1000.
        documents : int, optional
            Of how many sequences the most attended tokens are told.
        streaming : bool, optional
            Whether the probe is judged as a monitor that looks after every token, too.
        controls : (X, y), (X, y, groups), path or Data, optional
            The probe's training data, on which controls are trained: what is reached without what the probe is to find.
            Their metrics stand beside the probe's; `["controls"]` of the result has them as "rows", and how far the probe is
            above the best, "above_best".
        confound : str, optional
            With `controls`: what else may give the label away: "groups", a tensor of the files with a number a sequence, or
            a regular expression of ids, of which the first (…) is the value. Of arrays both `groups` and `controls` have it.

        Returns
        -------
        Evaluation
        """
        data = self._judged(
            X, y, groups=groups, sample_weight=sample_weight, offsets=offsets, mask=mask, pooled=pooled, ids=ids,
            token_texts=token_texts)
        said = options(
            bootstrap=bootstrap, documents=documents, streaming=streaming, confound=confound, seed=seed,
            threads=self._threads())
        call, training = lib().ap_evaluate, self._training(data, controls, confound)
        handles = [self._fitted().handle.value, data._handle.value]
        if training is not None:
            call = lib().ap_evaluate_controls
            handles.append(training._handle.value)
        text = self._told(lambda watch, text: call(*handles, said, watch.function, None, text))
        return Evaluation._of(json.loads(text))

    def calibrate(
        self, X: Any, y: Any = None, *, calibration: str | None = None, fpr: float | None = None,
        confidence: float | None = None, streaming: bool | None = None, seed: int | None = None, groups: Any = None,
        sample_weight: Any = None, offsets: Any = None, mask: Any = None, pooled: bool = False
    ) -> Any:
        """Fits probabilities and a threshold of a binary probe, on data that it was not trained on.

        Parameters
        ----------
        calibration : {"platt", "isotonic", "none"}, optional
        fpr : float, optional
            The threshold is the lowest for which at most this fraction of new negatives is at or above it, with
            `confidence`; without it the threshold is 0.5.
        streaming : bool, optional
            Whether it is for a monitor that looks after every token.

        Returns
        -------
        AttentionProbe
            Itself; `calibration_` says what was found.
        """
        data = self._judged(
            X, y, groups=groups, sample_weight=sample_weight, offsets=offsets, mask=mask, pooled=pooled)
        said = options(
            calibration=calibration, fpr=fpr, confidence=confidence, streaming=streaming, seed=seed,
            threads=self._threads())
        handle = self._fitted().handle.value
        probe, result, watch = self._run(
            lambda progress, made, text: lib().ap_calibrate(
                handle, data._handle.value, said, progress, None, made, text))
        self._probe = probe
        self._read += data._paths
        self.calibration_ = CalibrationResult._of(result)
        return self._done(watch)

    def report(
        self, path: str | os.PathLike[str] | None, X: Any, y: Any = None, *, documents: int | None = None,
        bootstrap: int | None = None, controls: Any = None, confound: str | None = None, seed: int | None = None,
        name: str | None = None, groups: Any = None, sample_weight: Any = None, offsets: Any = None, mask: Any = None,
        pooled: bool = False, ids: Any = None, token_texts: Any = None
    ) -> Report:
        """A page that loads nothing and opens anywhere: metrics, curves, where heads look, documents token by token.

        Parameters
        ----------
        path : path or None
            The file to write, none of those that are read; None for a page that is only shown.
        X, y
            As in `fit`; without labels the page has no metrics.
        controls, confound
            As in `evaluate`; the page has the controls beside the metrics.
        name : str, optional
            What the page calls the probe.

        Returns
        -------
        Report
        """
        data = self._judged(
            X, y, groups=groups, sample_weight=sample_weight, offsets=offsets, mask=mask, pooled=pooled, ids=ids,
            token_texts=token_texts, needs_labels=False)
        said = options(
            documents=documents, bootstrap=bootstrap, confound=confound, seed=seed, threads=self._threads())
        title = None if name is None else name.encode()
        call, training = lib().ap_report, self._training(data, controls, confound)
        if path is not None:
            read = data._paths + (() if training is None else training._paths)
            refuse_input(path, activation_files(read), "path")
        handles = [self._fitted().handle.value, data._handle.value]
        if training is not None:
            call = lib().ap_report_controls
            handles.append(training._handle.value)
        text = self._told(lambda watch, text: call(*handles, said, title, watch.function, None, text))
        page = Report(text, None if path is None else os.fspath(path))
        if path is not None:
            page.write(path)
        return page

    def _training(self, data: Data, controls: Any, confound: str | None) -> Data | None:
        if controls is None:
            if confound is not None:
                raise ValueError("confound: expected it only with controls, found none")
            return None
        training = self._other(
            controls, "controls", "groups", known=self._known_classes(), task=self._fitted().task,
            name="the training data of controls")
        for one, where in ((data, "groups"), (training, "controls=(X, y, groups)")):
            if confound == "groups" and one._keep is not None and not one.description["groups"]:
                raise ValueError(f"confound: expected {where} with a group a sequence beside confound='groups', found none")
        return training

    def _threads(self) -> int | None:
        threads: int | None = getattr(self, "threads", None)
        return threads

    def _judged(self, X: Any, y: Any, **known: Any) -> Data:
        data: Data = self._data(X, y, known=self._known_classes(), task=self._fitted().task, **known)[0]
        return data

    def _known_classes(self) -> Any:
        return getattr(self, "classes_", None) if self._fitted().task in ("binary", "multiclass") else None

    def _told(self, call: Any) -> str:
        text = ctypes.c_void_p()
        watch = Watch(self.verbose, self.callback)
        watch.run(lambda: call(watch, ctypes.byref(text)), (text, lib().ap_text_free))
        found = take_text(text)
        if watch.interrupted:
            raise KeyboardInterrupt
        return found
