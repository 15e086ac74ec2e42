"""What people look at: the screen, figures, and pages of HTML."""

import contextlib
import os
import sys


def _import_matplotlib() -> None:
    """Imports it with a backend in MPLBACKEND that may not be there, which is its own fault then.

    Figures are made here without any; notebooks that use this program as a library need theirs.
    """
    asked = os.environ.pop('MPLBACKEND')
    try:
        import matplotlib
    finally:
        os.environ['MPLBACKEND'] = asked
    with contextlib.suppress(ValueError):
        matplotlib.rcParams['backend'] = asked


if os.environ.get('MPLBACKEND', 'Agg') != 'Agg' and 'matplotlib' not in sys.modules:
    _import_matplotlib()
