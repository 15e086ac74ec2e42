"""What a network must know of its data."""

from __future__ import annotations

from typing import NamedTuple


class Spec(NamedTuple):
    """What a network must know of its data: how an example is laid out, and what it shows."""

    shape: tuple[int, ...]  # of one example as it is fed: (784,), (28, 28, 1), (steps, features)
    classes: tuple[str, ...] = ()  # names of the labels 0, 1, ...; empty without labels
    picture: tuple[int, ...] = ()  # how an example is drawn: (28, 28); empty where it is no picture
    frame: tuple[int, ...] = ()  # how a step of a sequence is drawn, where each is a picture
    future: int = 0  # steps of a sequence that follow those that are fed
    one_hot: bool = False  # an example is the number of a stored picture

    @property
    def layout(self) -> str:
        """How an example is laid out: 'flat', 'steps', 'maps' or 'one-hot'."""
        return 'one-hot' if self.one_hot else {1: 'flat', 2: 'steps'}.get(len(self.shape), 'maps')

    @property
    def said(self) -> str:
        """How the shape of an example is told to people."""
        if len(self.shape) == 1:
            return f'{self.shape[0]} features'
        return 'x'.join(map(str, self.shape))
