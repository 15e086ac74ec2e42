"""What a saved graph was trained on, which it says of itself in a collection."""

from __future__ import annotations

import json

import tensorflow.compat.v1 as tf

from inputs.spec import Spec, as_json, from_json

COLLECTION = 'trained_on'  # of one string


def say(spec: Spec) -> None:
    """Puts what was trained on into the current graph's collection, as JSON."""
    tf.add_to_collection(COLLECTION, json.dumps(as_json(spec)))


def read(meta: tf.MetaGraphDef) -> Spec | None:
    """Returns what a saved graph was trained on; None where it does not say."""
    try:
        (said,) = meta.collection_def[COLLECTION].bytes_list.value
        return from_json(json.loads(said))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
