"""What a finished run does with data of today: codes, scores, and pictures from codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import dataset
import disk
import sources
from errors import DataError, UsageError
from train import drawing, evaluate, figures, report
from train.interrupts import Interrupts
from train.network import Network, identity, opened

_DRAWN = 10 * figures.SHOWN  # pictures at most in a figure


def encode(folder: Path, changes: dict[str, Any], data_dir: Path) -> Path:
    """Writes the codes of a data set to an `.npz` in the run's folder, and returns it.

    The file has `codings` [N, units], `split` [N], `row` [N] (within the split), `labels` [N] where
    there are any, and `run`, JSON of what made them. `changes` name another data set than the
    run's: its `dataset` and `data_path`. Raises UsageError where there is no finished run.
    """
    with opened(folder) as network, Interrupts() as interrupts:
        data = _data(network, changes, data_dir)
        splits = {
            n: r for n, r in data.splits.items() if n != 'test' or r is not data.splits['train']
        }
        parts = []
        for rows in splits.values():
            interrupts.check()
            parts.append(network.compute('codings', rows))
        made = {
            'codings': np.concatenate(parts),
            'split': np.concatenate([[name] * len(rows) for name, rows in splits.items()]),
            'row': np.concatenate([np.arange(len(rows)) for rows in splits.values()]),
            'run': np.array(identity(folder, network)),
            'data': np.array(f'{data.key} {data.digest}'),
        }
        if data.spec.classes:
            made['labels'] = np.concatenate([rows.y for rows in splits.values()])
            made['classes'] = np.array(data.spec.classes)
        return _save(folder / f'codes-{data.key}.npz', made)


def evaluate_run(folder: Path, changes: dict[str, Any], data_dir: Path) -> dict[str, Any]:
    """Scores a finished run on a data set; writes and returns what results.json would hold.

    It is written, with figures, to `evaluation-<data set>/` in the run's folder.
    """
    with opened(folder) as network, Interrupts() as interrupts:
        data = _data(network, changes, data_dir)
        if network.experiment.classifies and not data.spec.classes:
            raise DataError(f'{data.key}: has no labels, and {folder} is a classifier')
        metrics = evaluate.score(network, data, data.splits, interrupts)
        results = {
            'experiment': network.experiment.name,
            'dataset': data.key,
            'seed': network.experiment.seed,
            'metrics': metrics,
            'run': str(folder),
        }
        target = folder / f'evaluation-{data.key}'
        title = f'{network.experiment.name} on {data.key}'
        drawing.draw(target / 'figures', network, data, title, metrics)
        disk.write_json(target / 'results.json', results)
        print(report.scores(results))
        return results


def generate(folder: Path, codes: str, count: int, seed: int) -> Path:
    """Decodes codes to pictures; writes `<name>.npz` and, for pictures, `<name>.png`.

    The codes are `codings` [N, units] of the file `codes`, or `count` draws from the unit Gaussian
    keyed by `seed`. The `.npz`, which is returned, has `x` [N, features], `codings` and `run`.
    Raises UsageError where the run does not decode, DataError where the codes do not fit it.
    """
    with opened(folder) as network:
        if not network.decodes():
            raise UsageError(f'{folder}: {network.experiment.name} has no decoder of its own')
        units = int(network.endpoints.tensors['codings'].shape[-1])
        codings = _codings(codes, units) if codes else evaluate.drawn(count, units, seed)
        name = f'generated-{Path(codes).stem}' if codes else f'generated-seed{seed}'
        outputs = network.decode(codings)
        picture = network.spec.picture
        if picture:
            title = f'decoded from {codes or f"the unit Gaussian, seed {seed}"}'
            lines = {title: outputs[:_DRAWN]}
            figures.save(figures.picture_rows(lines, picture), folder / f'{name}.png')
        made = {'x': outputs.reshape(-1, *picture) if picture else outputs, 'codings': codings}
        return _save(folder / f'{name}.npz', made | {'run': np.array(identity(folder, network))})


def _data(network: Network, changes: dict[str, Any], data_dir: Path) -> dataset.Dataset:
    experiment = network.experiment.vary(**changes)
    if experiment.dataset == 'images' and network.spec.picture:
        size, channels = network.spec.picture[:2], (*network.spec.picture[2:], 1)[0]
        experiment = experiment.vary(image_size=size, image_channels=channels)
    data = dataset.shaped(dataset.load(experiment, data_dir), network.spec.shape)
    if data.spec.shape != network.spec.shape:
        raise DataError(
            f'{data.key}: examples of {data.spec.said}, the run reads {network.spec.said}'
        )
    if experiment.classifies and data.spec.classes and data.spec.classes != network.spec.classes:
        print(f'warning: the classes of {data.key} are not those that the run was trained on')
        if len(data.spec.classes) > len(network.spec.classes):
            raise DataError(
                f'{data.key}: {len(data.spec.classes)} classes, the run knows '
                f'{len(network.spec.classes)}'
            )
    return data


def _codings(file: str, units: int) -> np.ndarray:
    if not Path(file).is_file():
        raise UsageError(f'--codes={file}: no such file')
    (codings,) = sources.arrays(file, 'codings')
    numeric = np.issubdtype(codings.dtype, np.number) and np.isrealobj(codings)
    if codings.ndim != 2 or codings.shape[1] != units or not numeric or not len(codings):
        raise DataError(f'--codes={file}: codings must be [N, {units}], they are {codings.shape}')
    if not np.isfinite(codings).all():
        raise DataError(f'--codes={file}: codings has NaN or infinity')
    return codings


def _save(file: Path, arrays: dict[str, np.ndarray]) -> Path:
    with disk.whole(file, 'wb') as opened_file:
        np.savez(opened_file, **arrays)
    return file
