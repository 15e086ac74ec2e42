"""Training, and what follows it: the loop, checkpoints, transfer, evaluation, figures, studies."""

from train.codes import encode, evaluate_run, generate
from train.experiment import Place, run
from train.predict import predict
from train.study import run_study

__all__ = ['Place', 'encode', 'evaluate_run', 'generate', 'predict', 'run', 'run_study']
