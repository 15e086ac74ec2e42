"""One run: from an Experiment to a trained, evaluated, exported and drawn run folder."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import dataset
import inst
import model
from command_line import base_of_parent
from inputs import readers, values
from inputs.columns import check_columns
from inputs.labels import check_classes
from inputs.rows import Dataset, ending_in_zeros, refuse_lengths, shaped
from inputs.spec import as_json
from inputs.splits import evenly
from networks import layers, patches, saved_graph, standardize, weights
from networks import session as sessions
from networks.saved_graph import SavedGraph
from parameters import PARENTS, Experiment
from reports import run_files, run_page, runs_page, screen
from system.errors import DataError, Diverged, UsageError, UserError
from system.interrupts import Interrupts
from system.lines import say, setting, settings_of
from system.received import Damage
from train import cluster, transfer
from train.checkpoints import Checkpoints
from train.folder import Place, claimed, configured, refuse_links, restart, results_of
from train.identity import (
    RESTORED,
    as_begun,
    extend_sibling,
    refuse_changed,
    refuse_lost,
    settle,
    settle_digest,
    settle_environment,
)
from train.team import ALONE, Team
from train.trainer import Trainer

_COLOURS = (1, 3)  # channels of pictures
_CLOSE = 1e-3  # to the end of what an activation reaches, as good as there
_PATIENCE = 20.0  # seconds after a signal in which one computation of a restored graph may end
_NAMED = 10  # classes that are told of by name
_LOOKED_AT = 300  # series


def run(
    experiment: Experiment, base: Experiment, place: Place, team: Team = ALONE
) -> dict[str, Any]:
    """Trains, evaluates, exports and draws, going on where an earlier run stopped; returns results.

    Workers that have a chief train with it, in folders of their own. A finished run is only shown.
    Raises a UserError for whatever a user can mend.
    """
    folder = place.folder(experiment, base)
    with (
        claimed(folder),
        Interrupts(restarts=place.restart) as interrupts,
        sessions.exhaustion_said(),
    ):
        asked = experiment
        team.mirror(folder, empty=place.restart)
        if not place.restart:
            experiment = as_begun(folder, experiment)
        config: dict[str, Any] = {'experiment': experiment.resolved()}
        config['tune'] = place.tune
        key, restores, goes_on = '', dict[str, str](), False
        if not place.restart:
            key = dataset.key_if_there(experiment)
            restores = _restores_now(experiment, folder, team)
            goes_on = settle(folder, config, key, restores, begins=False)
            if goes_on and team.is_chief:
                refuse_lost(folder)
        results = None if place.restart or goes_on else results_of(folder)
        if results and not team.is_chief:
            return results
        if results:
            refuse_changed(folder, experiment, key, restores)
            say(f'{folder}: finished before; --restart trains it again')
            if not weights.is_whole(str(folder / 'model')):
                say(f'warning: {folder}: its saved graph is gone, or a part of it')
            if not (has_page := (folder / run_page.NAME).exists()):
                run_page.write(folder, experiment, base, results, place.switches)
            _list(place, anew=not has_page)
            _show(results, experiment)
            return results
        if team.is_chief:
            _find_parent(experiment)
        data, units = looked_at(experiment, place, interrupts.check)
        cluster.compare(team, {f'data set {data.key}': data.digest})
        restored = _parent(experiment, data, place, folder, interrupts, team)
        if restored:
            interrupts.patience = _PATIENCE
            data = shaped(data, transfer.shape_read(restored, data, pools=bool(experiment.pool)))
        say('', f'{experiment.name} on {data.key}, seed {experiment.seed} -> {folder}')
        if experiment.parts != asked.parts:
            say(f'goes on in one part, as it was begun; --restart begins it in {asked.parts}')
        _say(experiment, data)
        config['data'] = {'key': data.key, 'digest': data.digest, **as_json(data.spec)}
        config['data']['recorded'] = [*data.recorded]
        if restored:
            transfer.check(restored, experiment, data.spec)
            _check_values(data, restored)
            if not restored.counts_steps:
                refuse_lengths(data)
            if experiment.initial != 'parent':
                restored = transfer.random_values(restored, experiment)
            config['parent'] = weights.checksum(restored.variables)
            config |= transfer.teacher(experiment, restored)
        if place.restart:  # now, when all that could be wrong was looked at
            restart(folder)
        refuse_links(folder)
        sibling = None if place.run_dir or place.restart else extend_sibling(folder, config)
        if sibling:
            say(f'goes on from {sibling}')
        settle_digest(folder, data, interrupts.check)
        settle(folder, config, key, {n: config[n] for n in RESTORED if n in config})
        settle_environment(folder, experiment)

        def finished(*, watched: bool = False) -> dict[str, Any]:
            team.mirror(folder)
            checkpoints = Checkpoints(folder, place.checkpoint_seconds, keeps=team.is_chief)
            trainer = Trainer(
                experiment,
                data,
                folder,
                restored,
                units,
                checkpoints,
                interrupts,
                watched=watched,
                team=team,
            )
            with saved_graph.faults_said(restored):
                return trainer.finish(
                    figures=place.figures and not place.tune, summarizes=place.summaries == 'all'
                )

        try:
            results = finished()
        except Diverged as error:
            say(error, 'looks for that step, from the last checkpoint on')
            results = finished(watched=True)
        interrupts.finished()
        if not team.is_chief:
            team.agree(0)  # the chief writes meanwhile
            return results
        run_page.write(folder, experiment, base, results, place.switches)
        _list(place)
        _show(results, experiment)
        say(*screen.worthless(results['metrics'], data, experiment))
        made = f'{run_page.NAME}, metrics.csv and the saved graph (prefix model)'
        say(f'{made} are in {folder}')
        team.agree(0)
        return results


def _show(results: dict[str, Any], experiment: Experiment) -> None:
    """Prints a finished run's scores, and what is to be doubted about them."""
    say(*screen.scores(results).split('\n'), *screen.unsparse(results['metrics'], experiment))


def run_together(
    experiment: Experiment, base: Experiment, place: Place, seconds: float
) -> dict[str, Any]:
    """Does `run`, on the machines that TF_CONFIG names, if it does, of which this is one.

    Raises UsageError where the others have been asked for something else, or have other data, Lost
    where one does not come, and Elsewhere for what another one ends by; one that is gone for so
    many seconds ends the process.
    """
    team = cluster.named(os.environ)
    if team.size == 1:
        return run(experiment, base, place)
    if not 1 <= seconds < math.inf:
        raise UsageError(f'--worker_seconds={seconds:g}: must be a number from 1 on')
    experiment = cluster.in_parts(experiment, team)
    with cluster.at_work(team, place, seconds) as where:
        cluster.compare(team, cluster.versions(experiment, where))
        return run(experiment, base, where, team)


def _list(place: Place, *, anew: bool = True) -> None:
    """Writes the page of all runs, if this is one of them; not `anew`: where there is none yet."""
    if not place.run_dir and (anew or not (place.runs / runs_page.NAME).exists()):
        runs_page.write(place.runs)


def looked_at(
    experiment: Experiment, place: Place, check: Callable[[], None] = lambda: None
) -> tuple[Dataset, Mapping[str, np.ndarray]]:
    """Returns the experiment's data, which it can be trained on, before anything is trained.

    With the values, by name, of the variables that standardise it, where there are some. Raises
    UsageError or DataError where they are not there, or are not what it needs.
    """
    data = dataset.load(experiment, place.data_dir, verify=place.verify, check=check)
    if place.tune:
        data = data.without_test()
    _check_data(experiment, data)
    return _measured(experiment, data, check)


def _parent(
    experiment: Experiment,
    data: Dataset,
    place: Place,
    folder: Path,
    interrupts: Interrupts,
    team: Team,
) -> SavedGraph | None:
    """Returns the parent's saved graph, having trained the parent if it has no finished run.

    Of one whose values are all drawn it is the graph alone. Of one that `--parent` names a worker
    that has a chief keeps a copy in its run's folder.
    """
    if experiment.parent is None:
        return None
    read = partial(transfer.read, experiment, data, trusted=place.trusted, check=interrupts.check)
    if isinstance(experiment.parent, str):
        graph = read(experiment.parent) if team.is_chief else None
        copy = team.graph(saved_graph.prefix_of(experiment.parent), folder / 'parent')
        return graph or read(copy)
    parent, at = experiment.lineage(), place.of_parent()
    if experiment.draws_parent:
        say(f'{experiment.name} draws all values of {parent.name}, which need not be trained')
        return _untrained(parent, at, interrupts.check, experiment.layer)
    base = base_of_parent(experiment)
    its = at.folder(parent, base)
    team.mirror(its)
    is_finished, goes_on = (its / 'results.json').is_file(), False
    if is_finished:
        config = {'experiment': as_begun(its, parent).resolved()}
        goes_on = settle(its, config, dataset.key_if_there(parent), begins=False)
    if goes_on or not is_finished:
        which = 'which is to have more epochs' if goes_on else 'which has no finished run'
        say(f'{experiment.name} needs {parent.name}, {which}: training it first')
        interrupts.check()
        with settings_of(PARENTS):
            run(parent, base, at, team)
        team.mirror(its)
    return read(str(its))


def _restores_now(experiment: Experiment, folder: Path, team: Team) -> dict[str, str]:
    """Returns the checksums of what a run restores from a path, as it is now.

    None where they are of no use: the run has not begun, or goes on from the same path, which is
    read then; or draws its values; or there is no graph that was written here. The chief alone
    needs the path: of others they are what they were.
    """
    parent, saved = experiment.parent, configured(folder)
    draws = experiment.initial != 'parent' and experiment.labels != 'parent'
    if not saved or not isinstance(parent, str) or draws:
        return {}
    if not team.is_chief:
        return {name: str(saved[name]) for name in RESTORED if name in saved}
    with suppress(UserError, OSError):
        is_needed = results_of(folder) or saved['experiment'].get('parent') != parent
        if is_needed and saved_graph.is_own(parent):
            now = saved_graph.read(parent, layer=experiment.layer)
            is_kept = experiment.initial == 'parent'
            values = {'parent': weights.checksum(now.variables)} if is_kept else {}
            return values | transfer.teacher(experiment, now)
    return {}


def _find_parent(experiment: Experiment) -> None:
    """Raises DataError where a parent by its path has no saved graph."""
    parent = experiment.parent
    if not isinstance(parent, str):
        return
    try:
        saved_graph.content_of(parent)
    except DataError as error:
        if parent not in inst.EXPERIMENTS:
            raise
        raise DataError(
            f'{error}; of the experiment of that name give the folder of a run, or write a '
            f'variation with parent={parent}, without quotes'
        ) from None


def _untrained(
    experiment: Experiment, place: Place, check: Callable[[], None], layer: int
) -> SavedGraph:
    """Returns an experiment's graph, read up to a layer, as if it had been saved untrained.

    But for what standardises its inputs, its values are zero.
    """
    restored = None
    with settings_of(PARENTS):
        data, units = looked_at(experiment, place, check)
        if isinstance(experiment.parent, Experiment):
            restored = _untrained(experiment.lineage(), place, check, experiment.layer)
        elif experiment.parent:
            restored = transfer.read(experiment, data, experiment.parent, place.trusted, check)
    if restored:
        data = shaped(data, transfer.shape_read(restored, data, pools=bool(experiment.pool)))
        units = {**restored.variables, **units}
    build = partial(model.exported, experiment, data.spec, restored)
    return saved_graph.unsaved(experiment.name, build, units, layer)


def _measured(
    experiment: Experiment, data: Dataset, check: Callable[[], None]
) -> tuple[Dataset, Mapping[str, np.ndarray]]:
    """Returns the data with the range of its values, and the values of what standardises it.

    Raises DataError where the outputs cannot reach the values.
    """
    rows, spec = data.splits['train'], data.spec
    found = values.measured(rows, spec, check)
    kept = values.described(rows, spec, found, check)
    units: Mapping[str, np.ndarray] = {}
    if experiment.standardizes:
        units, found = standardize.fitted(experiment, data, found, check)
    least, most = float(found.least.min()), float(found.most.max())
    if experiment.parent is None:
        _check_reach(experiment, data, least, most)
    spec = spec._replace(values=kept, has_lengths=rows.length is not None)
    return data._replace(spec=spec), units


def _check_reach(experiment: Experiment, data: Dataset, least: float, most: float) -> None:
    """Raises DataError where values lie outside of what the outputs can be."""
    activation = experiment.output_activation
    low, high = layers.REACHED[activation]
    lowest, highest = low, high
    if experiment.loss == 'cosine':  # to which lengths are nothing, so that only signs matter
        lowest, highest = -np.inf if low < 0 else low, np.inf
    if lowest - _CLOSE <= least and most <= highest + _CLOSE:
        return
    standardized = f' (standardize={experiment.standardize})' if experiment.standardizes else ''
    bernoulli = experiment.loss == 'bernoulli'
    what = 'loss=bernoulli needs' if bernoulli else f'output_activation={activation} gives'
    linear = setting('output_activation=linear')
    remedies = [f'{setting("loss=gaussian")} {linear}' if bernoulli else linear]
    remedies += [setting('standardize=min_max')] if low <= 0 and high >= 1 else []
    raise DataError(
        f'{data.key}: has values from {least:g} to {most:g}{standardized}, {what} '
        f'[{low:g}, {high:g}]; scale them, or use {" or ".join(remedies)}'
    )


def _check_data(experiment: Experiment, data: Dataset) -> None:
    """Raises UsageError or DataError where the experiment asks what the data cannot give."""
    try:
        run_files.spec_in(as_json(data.spec))
    except Damage as fault:  # which would be found when the run is used
        raise DataError(f'{data.key}: {fault}') from None
    if experiment.classifies:
        check_classes(data.key, data.spec.classes)
        _check_labels(experiment, data)
    if experiment.patience and 'validation' not in data.splits:
        raise UsageError(
            f'patience={experiment.patience}: needs validation examples, and {data.key} has none'
        )
    train = data.splits['train']
    if experiment.kind == 'kmeans' and (units := experiment.hidden[0]) > len(train):
        raise UsageError(
            f'hidden={units}: k-means begins at as many training examples; {data.key} has '
            f'{len(train)} (patches=... cuts more)'
        )
    if experiment.flip or experiment.crop:
        has = 'series' if train.length is not None else '' if data.spec.sides else 'none'
        if has:
            name = 'flip' if experiment.flip else 'crop'
            raise UsageError(f'{name}: needs pictures, and {data.key} has {has}')
    parent = experiment.parent
    if experiment.pool and isinstance(parent, Experiment) and (side := parent.patch_size):
        patches.laid(side, data.spec, experiment)


def _check_labels(experiment: Experiment, data: Dataset) -> None:
    """Raises UsageError or DataError where examples have no labels that are needed, or all have."""
    for split, rows in data.splits.items():
        if not rows.known.any():
            raise DataError(
                f'{data.key}: none of the {len(rows):,} {split} examples has a label, and a '
                'classifier needs some; label more, or say which are held out, by `split` or by '
                'folders for the splits'
            )
    has_all = experiment.label_fraction == 1 and data.splits['train'].known.all()
    if experiment.labels == 'parent' and has_all:
        raise UsageError(
            f'labels=parent: needs label_fraction below 1, to label what it hides; in {data.key} '
            'all have labels'
        )


def _check_values(data: Dataset, restored: SavedGraph) -> None:
    """Raises DataError for another scale, or other columns, than a graph was trained on.

    Of one that does not say what it was trained on it is said what it is fed.
    """
    trained = restored.trained and restored.trained.values
    known = data.spec.values
    if trained is None and known:
        say(
            f'{restored.prefix}.meta: does not say what values it was trained on; X:0 is fed '
            f'values from {known.least:g} to {known.most:g}; if it was trained on another scale, '
            'save x in that (--array, x of float32)'
        )
    if restored.trained:
        names, remedy = restored.trained.feature_names, 'save x with those of the graph, in order'
        check_columns(data.key, data.spec.feature_names, names, remedy)
    values.check_scale(data, trained)


def _say(experiment: Experiment, data: Dataset) -> None:
    """Says what looks wrong with the data, and which classes have nothing to be learned on."""
    train, classes = data.splits['train'], data.spec.classes
    if of_parent := transfer.doubt(experiment, data):
        say(of_parent)
    first, whose = experiment, ''
    while isinstance(first.parent, Experiment):
        first, whose = first.parent, whose + PARENTS
    known = data.spec.values
    settled = first.standardizes or first.parent is not None  # a saved graph, of the same scale
    with settings_of(whose):
        doubts = partial(values.doubts, standardized=settled, loss=first.has('loss'))
        if known and (doubt := doubts(train, known)):
            say(f'warning: {data.key}: {doubt}')
    are_maps = data.sides and not data.spec.picture  # not vectors that a graph takes as maps
    if are_maps and (data.spec.layout == 'maps' or experiment.has('patch_size')):
        is_flipped = data.sides[0] in _COLOURS and data.sides[1] == data.sides[-1]
        remedy = (
            'pictures that are [N, C, H, W] are x.transpose(0, 2, 3, 1) here'
            if is_flipped
            else 'of films, [N, steps, H, W], network=lstm reads each step as a picture'
        )
        channels = f'the last axis is read as channels, {data.sides[-1]} of them'
        say(f'{"warning: " * is_flipped}{data.key}: {channels}; {remedy}')
    is_own = first.dataset == 'array' or first.dataset in readers.OWN
    if data.spec.layout == 'steps' and train.length is None and is_own and not data.spec.future:
        seen = train.take(evenly(len(train), _LOOKED_AT))
        if 0 < (ends := ending_in_zeros(seen)) < len(seen):  # rows of digits may all do
            say(
                f'{data.key}: {ends:,} of {len(seen):,} series looked at end in zeros, which count '
                'as steps; if they are padding, say by length how many steps count'
            )
    count = transfer.learned(experiment, train)
    if (experiment.batch_size or 0) > count:
        say(f'batch_size={experiment.batch_size}: all {count:,} examples are in each update')
    if data.splits['test'] is train:
        say(f'{data.key}: no examples are held out to test on; scores of test are those of train')
    if data.spec.classes and not all(rows.known.all() for rows in data.splits.values()):
        parts = (f'{r.known.sum():,} of {len(r):,} {name}' for name, r in data.shown.items())
        say(f'{data.key}: examples with a label: {", ".join(parts)}')
    if not experiment.classifies:
        return
    for split, word in (('train', 'learned'), ('test', 'tested')):
        there = np.isin(range(len(classes)), data.splits[split].labels)
        lacking = [name for name, is_there in zip(classes, there, strict=True) if not is_there]
        if lacking:
            names = ', '.join(lacking[:_NAMED]) + (', ...' if len(lacking) > _NAMED else '')
            which = f'{len(lacking)} of {len(classes)} classes'
            say(f'warning: no example to be {word} on of {which}: {names}')
