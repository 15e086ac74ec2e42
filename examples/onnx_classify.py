"""Classify in ONNX Runtime, without TensorFlow.

    make run
    python main.py --mode=export --format=onnx --run_dir=runs/phasewise_classifier/mnist5k-seed0
    python -m examples.digits
    python examples/onnx_classify.py runs/phasewise_classifier/mnist5k-seed0 digits.npz

The export needs `requirements-export.txt`; this needs onnxruntime and numpy, and nothing of this
project. Arguments: the run's folder, the digits.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime

RUN = Path(sys.argv[1] if len(sys.argv) > 1 else 'runs/phasewise_classifier/mnist5k-seed0')
FILE = sys.argv[2] if len(sys.argv) > 2 else 'digits.npz'

digits = np.load(FILE)
is_test = digits['split'] == 'test'
x = (digits['x'][is_test].reshape(-1, 784) / 255).astype(np.float32)
y = digits['y'][is_test].astype(str)

folder = RUN / 'export' / 'onnx'
classes = np.array(json.loads((folder / 'classes.json').read_text()))
network = onnxruntime.InferenceSession(folder / 'classify.onnx')
for tensor in (*network.get_inputs(), *network.get_outputs()):
    print(f'{tensor.name}  {tensor.type}  {tensor.shape}')
(logits,) = network.run(['logits:0'], {'X:0': x})
names = classes[logits.argmax(axis=1)]
print(f'labels {" ".join(names[:10])}')
print(f'of     {" ".join(y[:10])}')
print(f'accuracy on {len(y)} test examples {np.mean(names == y):.3f}')
