"""Serve a run by TensorFlow Serving: its folder, the command, a request and its answer.

    make run
    python -m examples.digits
    python examples/serving.py runs/phasewise_classifier/mnist5k-seed0 digits.npz

The answer is computed here, from the files that the server would load, so that none has to run. It
needs tensorflow and numpy, and nothing of this project. Arguments: the run's folder, the digits,
and the file for the request. Where there is Docker, in a shell:

    MODEL=$PWD/runs/phasewise_classifier/mnist5k-seed0/saved_model
    docker run -p 8501:8501 -e MODEL_NAME=digits -v $MODEL:/models/digits tensorflow/serving
    curl -d @request.json http://localhost:8501/v1/models/digits:predict

Without Docker: tensorflow_model_server --rest_api_port=8501 --model_name=digits and
--model_base_path=$MODEL
"""

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

RUN = Path(sys.argv[1] if len(sys.argv) > 1 else 'runs/phasewise_classifier/mnist5k-seed0')
FILE = sys.argv[2] if len(sys.argv) > 2 else 'digits.npz'
REQUEST = Path(sys.argv[3] if len(sys.argv) > 3 else 'request.json')

version = RUN / 'saved_model' / '1'  # Serving looks for numbers, and serves the greatest
for file in sorted(version.rglob('*.*')):
    print(f'{file.relative_to(RUN)}  {file.stat().st_size:,} bytes')

x = np.load(FILE)['x'][:3].reshape(-1, 784) / 255
REQUEST.write_text(json.dumps({'signature_name': 'classify', 'instances': x.tolist()}))
print(f'{REQUEST}: {REQUEST.read_text()[:70]}... {REQUEST.stat().st_size:,} bytes')

asked = json.loads(REQUEST.read_text())
signature = tf.saved_model.load(str(version)).signatures[asked['signature_name']]
found = signature(X=tf.constant(asked['instances']))
columns = {name: tensor.numpy().tolist() for name, tensor in found.items()}
columns['labels'] = [label.decode() for label in columns['labels']]  # names, as bytes
answers = [{name: columns[name][row] for name in columns} for row in range(len(x))]
for answer in answers:  # sent as {"predictions": [...]}
    print(f'answer: {json.dumps(answer, sort_keys=True)[:90]}...')
