"""What a finished run is used for, from the shell and from Python.

from inference import load, fit, runs, curves, Autoencoder, CodeClassifier
"""

from system.quiet import silent

with silent():
    from inference.estimators import Autoencoder, CodeClassifier
    from inference.fit import fit
    from inference.frames import curves, runs
    from inference.run import Run, load

__all__ = ['Autoencoder', 'CodeClassifier', 'Run', 'curves', 'fit', 'load', 'runs']
