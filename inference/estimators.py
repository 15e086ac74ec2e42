"""The runs as scikit-learn estimators: a transformer of codes, and a classifier on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from inference.fit import fit, named
from inference.run import Run
from parameters import Experiment
from system.errors import UsageError, UserError


class _Estimator(BaseEstimator):
    """What both have in common: the parameters, and a run that is trained on X [N, features]."""

    _USUAL = ''  # the experiment where none is named

    def __init__(
        self,
        experiment: Experiment | str | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
        standardize: str | None = None,
        validation: float = 0.0,
        random_state: Any = None,
    ):
        self.experiment = experiment
        self.settings = settings
        self.standardize = standardize
        self.validation = validation
        self.random_state = random_state

    def _trained(self, X: np.ndarray, y: np.ndarray | None) -> Run:
        """Returns a run of the experiment, with the settings, on X."""
        with _as_value_error():
            return fit(self._wanted(), X, y, validation=self.validation)

    def _wanted(self) -> Experiment:
        """Returns the experiment with the settings."""
        changes = dict(self.settings or {})
        if self.random_state is not None:
            changes['seed'] = _seed(self.random_state)
        found = named(self.experiment or self._USUAL).vary(**changes)
        own, root = 'standardize', found
        while isinstance(root.parent, Experiment):
            own, root = f'parent.{own}', root.parent
        free = not root.parent and root.has('standardize') == 'none' and root.loss != 'bernoulli'
        usual = 'mean_std' if root.output_activation == 'linear' else 'min_max'  # which it reaches
        wanted = self.standardize or (usual if free else None)
        return found.vary(**{own: wanted}) if wanted and own not in changes else found

    def _checked(self, X: Any) -> np.ndarray:
        """Returns X as the run reads it; raises ValueError where it is none."""
        check_is_fitted(self, 'run_')
        return validate_data(self, X, reset=False, dtype=np.float64)


class Autoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, _Estimator):
    """An autoencoder of the catalogue that transforms X, [N, features], to codes, [N, units].

    `experiment` is one, or its name, or else `basic`; `settings` are fields of it and their values;
    `standardize` is such a field by itself; where neither says one and the loss does not need
    [0, 1] it is mean_std, or min_max where outputs are not linear; `validation` is the share of
    rows held out, which patience needs; `random_state` is its seed. After `fit`, `run_` is the run.
    """

    _USUAL = 'basic'

    def __sklearn_tags__(self) -> Any:
        """Says that codes are float32, whatever X is."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ['float32']
        return tags

    def fit(self, X: Any, y: Any = None) -> Autoencoder:
        """Trains on X; y is not looked at."""
        X = validate_data(self, X, dtype=np.float64)
        self.run_ = self._trained(X, None)
        self._n_features_out = int(self.run_.network.endpoints.tensors['codings'].shape[-1])
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Returns the codes of X."""
        X = self._checked(X)
        with _as_value_error():
            return self.run_.encode(X)

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Returns what codes are decoded to, in the units of the training data."""
        check_is_fitted(self, 'run_')
        with _as_value_error():
            return self.run_.decode(X)

    def score_samples(self, X: Any) -> np.ndarray:
        """Returns how well each row is reconstructed, [N]: minus its loss, greater is better.

        Of a variational one with a likelihood it is the evidence lower bound at the mean of the
        code, without `beta`. It is in the units of `standardize`.
        """
        X = self._checked(X)
        with _as_value_error():
            found = self.run_.score(X)
        return -found.get('nelbo', found[self.run_.experiment.distance]).astype(np.float64)

    def score(self, X: Any, y: Any = None) -> float:
        """Returns the mean of `score_samples`, for a model selection to make great."""
        return float(np.mean(self.score_samples(X)))


class CodeClassifier(ClassifierMixin, _Estimator):
    """A classifier of the catalogue, on the codes of its parent, which is trained first.

    The parameters are those of `Autoencoder`: the experiment is `phasewise_classifier` where none
    is named, fields of its parent are `parent.x`, and `standardize` is the parent's. After `fit`,
    `classes_` are its labels and `run_` is the run, of which a label is its number among those.
    """

    _USUAL = 'phasewise_classifier'

    def fit(self, X: Any, y: Any) -> CodeClassifier:
        """Trains on X [N, features] and y [N]."""
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f'y has one class, {self.classes_[:1].tolist()[0]!r}; a classifier needs two'
            )
        with _as_value_error():
            if not (wanted := self._wanted()).classifies:
                raise UsageError(f'{wanted.name}: is no classifier')
        self.run_ = self._trained(X, numbers)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Returns the probability of each class, [N, classes], in the order of `classes_`.

        They add up to 1, as scikit-learn takes for granted; those of a classifier trained together
        with its network, of each class by itself, are divided by their sum.
        """
        X = self._checked(X)
        with _as_value_error():
            shares = self.run_.predict_proba(X)
        shares = np.maximum(shares, np.finfo(shares.dtype).tiny)  # where every one is 0, alike
        return shares / shares.sum(axis=1, keepdims=True)

    def predict(self, X: Any) -> np.ndarray:
        """Returns the most probable label of each row, [N]."""
        X = self._checked(X)
        with _as_value_error():
            return self.classes_[self.run_.predict(X)]


def _seed(random_state: Any) -> int:
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


@contextmanager
def _as_value_error() -> Iterator[None]:
    """Raises ValueError, as scikit-learn expects, for what a user can mend."""
    try:
        yield
    except UserError as error:
        raise ValueError(str(error)) from error
