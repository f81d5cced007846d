"""What scikit-learn asks of an estimator, without importing it."""
from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from ._probe import NativeProbe
from .results import CalibrationResult, Selection, Training


class Parameters:
    """Constructor arguments that are stored unchanged under their names.

    `clone`, `cross_val_score`, `GridSearchCV` and `Pipeline` need nothing else.
    """

    _probe: NativeProbe | None = None
    classes_: np.ndarray
    # The places of `classes_` among the classes of the probe file; None where both are in the same order.
    _order: np.ndarray | None = None
    n_features_in_: int
    training_: Training | None
    selection_: Selection | None
    calibration_: CalibrationResult | None

    @classmethod
    def _names(cls) -> list[str]:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """All constructor arguments by name. `deep` changes nothing: none is an estimator."""
        return {name: getattr(self, name) for name in self._names()}

    def set_params(self, **params: Any) -> Any:
        """Sets constructor arguments; returns the estimator. An unknown name is a `ValueError`, and changes nothing."""
        names = self._names()
        for name in params:
            if name not in names:
                raise ValueError(
                    f"Invalid parameter {name!r} for estimator {type(self).__name__}. Valid parameters are: {names!r}.")
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def _is_regressor(self) -> bool:
        raise NotImplementedError

    def _takes_vectors(self) -> bool:
        raise NotImplementedError

    @property
    def _estimator_type(self) -> str:
        # For scikit-learn before 1.6.
        return "regressor" if self._is_regressor() else "classifier"

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, InputTags, RegressorTags, Tags, TargetTags

        regressor = self._is_regressor()
        vectors = self._takes_vectors()
        return Tags(
            estimator_type="regressor" if regressor else "classifier",
            target_tags=TargetTags(required=True, multi_output=True, two_d_labels=True),
            classifier_tags=None if regressor else ClassifierTags(multi_class=True, multi_label=True),
            regressor_tags=RegressorTags() if regressor else None,
            input_tags=InputTags(two_d_array=vectors, three_d_array=True),
        )

    def __sklearn_is_fitted__(self) -> bool:
        return self._probe is not None

    def _fitted(self) -> NativeProbe:
        if self._probe is None:
            message = f"This {type(self).__name__} instance is not fitted yet. Call 'fit' before."
            try:
                from sklearn.exceptions import NotFittedError
            except ImportError:
                raise ValueError(message) from None
            raise NotFittedError(message)
        return self._probe

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self).__init__).parameters
        said = [
            f"{name}={value!r}" for name, value in self.get_params().items()
            # An array is no default, and is compared number by number.
            if name in ("kind",) or isinstance(value, np.ndarray) or value is not defaults[name].default and (
                value != defaults[name].default)
        ]
        return f"{type(self).__name__}({', '.join(said)})"
