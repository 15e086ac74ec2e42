"""Train layer by layer without labels, then fine-tune with few: through Python, kept in folders.

    python -m examples.layer_by_layer runs

Two classifiers are trained on one label in twenty, one on the layers that were trained greedily on
all pictures, one on the same layers with random values. What is finished is not trained again: the
second call takes seconds. It needs the environment of this project. Argument: where run folders are
made.
"""

import signal
import sys
from pathlib import Path

import inst
from system.errors import UserError
from train.folder import Place
from train.run import run

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C between two runs ends the script at once
RUNS = Path(sys.argv[1] if len(sys.argv) > 1 else 'runs')

stack = inst.phasewise.vary(hidden=(300, 100), epochs=10)  # a phase of 10 epochs for each layer
pretrained = inst.phasewise_finetune.vary(
    dataset='mnist5k',
    parent=stack,
    label_fraction=0.05,
    epochs=50,  # of the classifier alone, on frozen codes
    finetune_epochs=100,  # of all layers
)
fresh = pretrained.vary(initial='random')  # the values of its layers are drawn, not restored

place = Place(runs=RUNS, figures=False)
found = {}
for name, experiment in (('pretrained', pretrained), ('from random values', fresh)):
    try:
        results = run(experiment, inst.phasewise_finetune, place)  # trains the parent first
    except UserError as error:  # or Ctrl-C within one, which the same command goes on with
        print(f'error: {error}', file=sys.stderr)
        sys.exit(error.exit_code)
    found[name] = results['metrics']['test/accuracy']
    print(f'{name}: {place.folder(experiment, inst.phasewise_finetune)}')

print(f'\nlabels of {pretrained.label_fraction:.0%} of the training digits; test accuracy')
for name, accuracy in found.items():
    print(f'{accuracy:.3f}  {name}')
