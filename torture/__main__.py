"""Disturbs as many runs as are missing, a kind after the other, and writes the table.

With --of=graphs, it runs on each graph of the corpus instead, and writes how these runs ended; with
--of=folders, it uses run folders that were damaged; with --of=inputs, it runs on arrays, on folders
of pictures and in surroundings that are not as they should be.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from absl import app, flags

from system import disk, standard
from torture import attempts

FLAGS = flags.FLAGS
_CORPUS = {  # what is tried -> what does that, and the table it writes
    'graphs': ('torture.corpus', 'GRAPHS.md'),
    'folders': ('torture.tries', 'FOLDERS.md'),
    'inputs': ('torture.inputs', 'INPUTS.md'),
}
flags.DEFINE_integer('attempts', 100, 'Runs to disturb, over all kinds.', lower_bound=1)
flags.DEFINE_float('minutes', 60.0, 'When to stop before that; the same command goes on.')
flags.DEFINE_string('only', '', 'A pattern to be found in the kind of run.')
flags.DEFINE_integer('seed', 0, 'Keys the times of the kills and what is damaged.')
flags.DEFINE_string('output', 'torture/RESULTS.md', 'The table; outcomes are kept beside it.')
flags.DEFINE_enum(
    'of', 'runs', ('runs', *_CORPUS), f'Tried: kills, or what does harm: {", ".join(_CORPUS)}.'
)
flags.DEFINE_integer(
    'jobs', os.cpu_count() or 1, 'Of a corpus that are tried at once.', lower_bound=1
)


_OF_RUNS = ('attempts', 'minutes', 'seed', 'only')


def main(_: list[str]) -> None:
    """Tries what is asked for."""
    if FLAGS.of == 'runs':
        disturb_runs()
    elif given := [name for name in _OF_RUNS if FLAGS[name].present]:
        raise SystemExit(
            f'error: --{given[0]}: has no effect with --of={FLAGS.of}, which is tried whole'
        )
    else:
        try_corpus(*_CORPUS[FLAGS.of])


def try_corpus(module: str, table: str) -> None:
    """Tries a corpus in a process that has none of the flags here: the program has its own."""
    output = Path(FLAGS.output).with_name(table)
    line = [sys.executable, '-m', module, str(output), str(FLAGS.jobs)]
    sys.exit(subprocess.run(line).returncode)


def disturb_runs() -> None:
    """Goes on where the last campaign of this seed stopped."""
    output, deadline = Path(FLAGS.output), time.monotonic() + 60 * FLAGS.minutes
    kept = output.with_suffix('.json')
    saved = json.loads(kept.read_text()) if kept.is_file() else {}
    keys = {'seed': FLAGS.seed, 'only': FLAGS.only}
    outcomes = saved['outcomes'] if {'only': '', **saved}.items() >= keys.items() else []
    kinds = [kind for kind in attempts.KINDS if re.search(FLAGS.only, kind)]
    if not kinds:
        raise SystemExit(f'error: --only={FLAGS.only}: there are {", ".join(attempts.KINDS)}')
    if len(outcomes) >= FLAGS.attempts:
        print(f'{kept}: all {len(outcomes)} are there, none is tried; to begin anew, remove it')
    references: dict[str, tuple[dict[str, str], float]] = {}
    with tempfile.TemporaryDirectory(prefix='torture-') as name:
        shared = Path(name)
        attempts.draw_pictures(shared / 'pictures')
        while len(outcomes) < FLAGS.attempts and time.monotonic() < deadline:
            index = len(outcomes)
            kind = kinds[index % len(kinds)]
            if kind not in references:
                attempts.undisturbed(kind, shared)  # writes the records that all of its kind read
                references[kind] = attempts.undisturbed(kind, shared)
            chance = random.Random(f'{FLAGS.seed}:{index}')
            outcomes.append(attempts.attempt(kind, chance, *references[kind], shared))
            disk.write_json(kept, keys | {'outcomes': outcomes})
            output.write_text(attempts.table(outcomes))
            said = outcomes[-1]['lost'] or 'survived'
            print(f'{index + 1}/{FLAGS.attempts} {kind}: {said}', flush=True)
    print(attempts.table(outcomes))


if __name__ == '__main__':
    standard.keep()
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
    try:
        app.run(main)
    except KeyboardInterrupt:
        print('interrupted; the same command goes on from here', file=sys.stderr)
        sys.exit(130)
