"""What a finished run does with data of today: scores of a data set, and pictures from codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from evaluation import scores
from inference.open import STOPPED, classified, data_for, identity, opened
from inference.outputs import write_npz
from inference.run import as_codings, as_lengths, check_decodes
from inputs import foreign
from model import Network
from reports import drawing, figures, screen
from system import disk
from system.errors import UsageError
from system.interrupts import Interrupts
from system.lines import say, shown
from system.names import filed
from train.folder import Place

_SHOWN = 10 * figures.SHOWN  # pictures at most in a figure


def evaluate(folder: Path, changes: dict[str, Any], place: Place) -> dict[str, Any]:
    """Scores a finished run on a data set; writes and returns what results.json would hold.

    It is written to `evaluation-<data set>/` in the run's folder, of validation examples to one of
    its own beside that, with figures if those are asked.
    `changes` name another data set than the run's; a user's own are one split, called 'all'.
    """
    with opened(folder, place.trusted) as network, Interrupts(STOPPED, alone=True) as interrupts:
        data = data_for(network, folder, changes, place, interrupts.check)
        if network.experiment.classifies:
            data = classified(network, data)
        if place.tune:
            data = data.without_test()
        metrics = scores.score(network, data, data.splits, interrupts).metrics
        results = {
            'experiment': network.experiment.name,
            'dataset': data.key,
            'seed': network.experiment.seed,
            'metrics': metrics,
            'run': str(folder),
        }
        tuned = '-tuning' if place.tune else ''
        target = disk.made_inside(folder / f'evaluation-{data.key}{tuned}')
        title = f'{network.experiment.name} on {data.key}'
        if place.figures:
            drawing.draw(disk.made_inside(target / 'figures'), network, data, title, metrics)
        disk.write_json(target / 'results.json', results)
        say(*screen.scores(results).split('\n'))
        return results


def generate(
    folder: Path, codes: str | None, count: int, seed: int, *, trusted: bool = False
) -> Path:
    """Decodes codes to pictures; writes `<name>.npz` and, for pictures, `<name>.png`.

    The codes are `codings` [N, units] of the file `codes`, with the `length` [N] of sequences, or
    `count` draws from the unit Gaussian keyed by `seed`. The `.npz`, which is returned, has `x`
    [N, features], `codings` and `run`. Raises UsageError where the run does not decode, DataError
    where the codes do not fit it.
    """
    with opened(folder, trusted) as network:
        check_decodes(network, str(folder))
        units = int(network.endpoints.tensors['codings'].shape[-1])
        length = None
        if codes:
            codings, length = _codings(codes, units, network)
        else:
            codings = scores.gaussian_codes(count, units, seed)
        given = f'{filed(Path(codes).stem)}-{disk.sha256(Path(codes))[:8]}' if codes else ''
        name = f'generated-{given or f"seed{seed}-{count}"}'
        outputs = network.decode(codings, length)
        picture = network.spec.picture
        if picture:
            title = f'decoded from {shown(codes) if codes else f"the unit Gaussian, seed {seed}"}'
            lines = {title: outputs[:_SHOWN]}
            figures.save(figures.picture_rows(lines, picture), folder / f'{name}.png')
        made = {'x': outputs.reshape(-1, *picture) if picture else outputs, 'codings': codings}
        return write_npz(folder / f'{name}.npz', made | {'run': identity(folder, network)})


def _codings(file: str, units: int, network: Network) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns the codes in a file, and how many steps their sequences had, if it says so."""
    if not Path(file).is_file():
        raise UsageError(f'--codes={file}: no such file')
    found, what = foreign.arrays(file, 'codings', 'length'), f'--codes={file}'
    codings = as_codings(found['codings'], units, what)
    if 'length' not in found:
        return codings, None
    return codings, as_lengths(found['length'], len(codings), network, f'{what}: length')
