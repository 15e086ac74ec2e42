"""Training, and what follows it: the loop, checkpoints, transfer, evaluation, figures, studies."""

from train.experiment import Place, run
from train.predict import predict
from train.study import run_study

__all__ = ['Place', 'predict', 'run', 'run_study']
