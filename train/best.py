"""Early stopping: a copy of the weights of the epoch that did best on validation examples."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow.compat.v1 as tf


class Best:
    """Copies of variables, which are saved in checkpoints beside them."""

    def __init__(self, variables: Sequence[tf.Variable], scope: str):
        """Makes a copy of each on the current graph, named under `scope`."""
        self.copies = [
            tf.get_variable(
                f'{scope}/best/{variable.op.name}',
                variable.shape,
                variable.dtype.base_dtype,
                initializer=tf.zeros_initializer(),
                trainable=False,
                use_resource=True,
                collections=[tf.GraphKeys.LOCAL_VARIABLES],
            )
            for variable in variables
        ]
        pairs = list(zip(self.copies, variables, strict=True))
        self._start = [copy.initializer for copy in self.copies]
        self._keep = [copy.assign(variable.read_value()) for copy, variable in pairs]
        self._take = [variable.assign(copy.read_value()) for copy, variable in pairs]

    def initialize(self, session: tf.Session) -> None:
        """Sets the copies to zero."""
        session.run(self._start)

    def keep(self, session: tf.Session) -> None:
        """Copies the variables as they are."""
        session.run(self._keep)

    def take(self, session: tf.Session) -> None:
        """Sets the variables to what was kept."""
        session.run(self._take)
