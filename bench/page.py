"""The page: medians, ratios paired within a round, and the targets' verdicts, as Markdown."""

from __future__ import annotations

import platform
import shlex
import sys
import time
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

from bench import work, workers
from bench.networks import LEAST_OF_LINEAR, NETWORKS, TRAINED_ON, WORKERS, Contender

Seconds = dict[str, list[float | None] | str]
"""Contender -> seconds an epoch, a round each, or why there are none."""
Results = dict[str, dict[str, Any]]
"""Network -> when, where and how it was measured, and its `seconds`."""

_SHARE = 2  # the column of the share of the peak
_BUSY = 0.1  # share of the cores that others take: PyTorch, whose threads spin, loses far more

_METHOD = """\
Seconds are an epoch's, the median of the rounds. A ratio is a contender's seconds over those of the
product in the same round (in bfloat16 over the product in bfloat16; phase 2 over the stand-alone
network; a constrained network over the plain one): the median, which is judged, and the least and
greatest. Where the product is the base, above 1 means that the product is faster; of phase 2, the
constrained networks, records beside memory and checked updates, above 1 means that they cost more
than their base.

Each contender is a process with its framework's default threads; one trains while the others wait.
Their order moves on by one every round; one round before the first is not counted. Networks that
have peers use Adam at 1e-3 on MSE, and all of a network the same batches, the short last one
included; the sparse ones have sigmoid units, the plain one beside them ReLU. The product is a whole
`train.run`, timed from the end of its first epoch to the end of its last, with validation,
metrics.csv, events, checkpoints and progress bar in between. The bare session makes the same update
on the same graph, one call a step, from bytes held in the graph, and does nothing else. Keras
(`fit`), PyTorch and JAX hold the images as float32; PyTorch's Adam is the fused one, its bfloat16
is autocast, compiled is what torch.compile makes of the loss; JAX makes an epoch in one jitted scan
whose state is donated (of convolutions, which a scan runs far slower, a step in one call), with
optax's Adam. A peer that cannot be had or built says so in its row. The share of the peak is the
multiplications and additions of a network's products in an epoch, over the seconds and over what
TensorFlow makes of large products on all cores, in the same precision. Phase 2 (of the experiment
phasewise) and the stand-alone network are runs of the product over as many rows of 300 numbers:
updates alone, by the `seconds` of metrics.csv, the first epoch left out; computing what phase 2
reads is not in them. The constrained networks (masked or noisy inputs, a sparse, Gaussian or
dropped-out code) are whole runs of the experiments named, beside the plain network of their size,
all on the data set above. LSTMs train on the rows of 12,800 of its images; their decoders are fed
nothing, or where a framework wants something, a zero. Convolutional networks train on 6,400
pictures of CIFAR-10; PyTorch's two layouts of memory are both there, to be beaten both. Pictures of
224x224 are ten copies of each photograph: trained on from memory and from JPEG records; read in
batches of 32 by the pipeline that feeds training, by a plain tf.data pipeline over the same records
in file order, and one by one from the original files. Recording is `--images` on the 60,000 files
of CIFAR-10, hashes and manifest included, nothing read back into memory, beside a loop that opens,
fits, encodes and writes them; one pass a round. Checked updates are those of the product, which
looks after each call for what is not finite, beside the same without that, in one process: a call
of a fifth of a second of one, a call of the other, thirty times as many rounds. What else guards a
run are its checkpoints, which are spaced so that they take at most 1 % of the time, and files that
are flushed to disk at the end of an epoch. Kernels are oneDNN's, by which the product computes
where the CPU has AVX2, and those that TensorFlow has of Eigen (`TF_ENABLE_ONEDNN_OPTS=0`). On two
workers: whole commands in processes of their own, started anew each round, each on the cores named;
updates alone, by metrics.csv (each worker validates all examples by itself)."""

_PAPER = f"""\
Two workers, each on a core, as a share of twice one worker on one core, and beside one process in
two parts on the same two cores (the quotient of their times). Then what follows for machines that
each take as long as that process, medians of the rounds: up to how many of them, with the same
batch, have {LEAST_OF_LINEAR} of linear, and what share any number has whose batch grows with it. A
ring sends 2 (n - 1) / n times the bytes (gradients, batch norm's statistics, losses) a step; the
delay of each message, which counts for small ones, is left out, and nothing is computed meanwhile.
Machines that are k times as fast need a network that is k times as fast."""


def render(results: Results) -> str:
    """Returns the page of all that was measured, then or earlier."""
    parts = ['# Benchmark', _METHOD]
    head = [
        'contender',
        'seconds',
        'of the peak',
        'ratio',
        'least to greatest',
        'wanted',
        'verdict',
    ]
    for network in filter(results.__contains__, NETWORKS):
        contenders = NETWORKS[network]
        first = contenders[0]
        known = first.experiment.fields()
        trained = f', {known["activation"]}' if 'activation' in known else ''
        trained += f', batch {known["batch_size"]}'
        parts += [f'## {network}{trained if first.trainer == "product" else ""}']
        facts = results[network]
        rows = [_row(facts, c) for c in contenders if c.name in facts['seconds']]
        said = [
            facts['provenance'],
            f'other processes took {facts["others"]:.0%} of the cores meanwhile',
            *_peaks(facts),
        ]
        shown = [head, *rows]
        if 'peak' not in facts:
            shown = [[*row[:_SHARE], *row[_SHARE + 1 :]] for row in shown]
        parts += ['; '.join(said), _table(shown)]
    parts += _on_more(results)
    missing = '; '.join(network for network in NETWORKS if network not in results)
    parts += [f'Not measured: {missing}.'] if missing else []
    return '\n\n'.join(parts) + '\n'


def _on_more(results: Results) -> list[str]:
    """Returns the table of what more machines would bring, where two workers were measured."""
    found = {
        network.removeprefix(WORKERS): (contenders, results[network])
        for network, contenders in NETWORKS.items()
        if network.startswith(WORKERS) and _is_whole(results.get(network, {}))
    }
    return ['## More machines, on paper', _PAPER, _table(workers.scaling(found))] if found else []


def _is_whole(facts: dict[str, Any]) -> bool:
    """Whether all three of a network's ways were timed, in some round."""
    found = [facts.get('seconds', {}).get(trainer) for trainer in workers.CORES]
    return all(isinstance(times, list) for times in found) and any(
        None not in times for times in zip(*found, strict=True)
    )


def _row(facts: dict[str, Any], contender: Contender) -> list[str]:
    times = facts['seconds'][contender.name]
    if isinstance(times, str):
        return [contender.name, times, '', '', '', contender.wanted, 'not measured']
    seconds = median(time for time in times if time is not None)
    quotients = ratios(facts['seconds'], contender)
    shown = ['', '']
    if quotients:
        shown = [f'{median(quotients):.3f}', f'{min(quotients):.3f} to {max(quotients):.3f}']
    verdict = _verdict(contender, quotients, facts) if contender.wanted else ''
    share = share_of_peak(facts, contender, seconds)
    of_peak = '' if share is None else f'{share:.0%}'
    return [contender.name, f'{seconds:.3f}', of_peak, *shown, contender.wanted, verdict]


def _peaks(facts: dict[str, Any]) -> list[str]:
    """Says what the processor did at most, where that was measured."""
    found = [f'{rate / 1e9:,.0f} in {name}' for name, rate in facts.get('peak', {}).items()]
    return [f'large products at {" and ".join(found)} GFLOP/s'] if found else []


def share_of_peak(
    facts: dict[str, Any], contender: Contender, seconds: float | None = None
) -> float | None:
    """Returns the share of the processor's peak that the products of an epoch take.

    In the contender's median of the rounds, if not in so many `seconds`. None where it is unknown.
    """
    experiment = contender.experiment
    peak = facts.get('peak', {}).get(experiment.precision)
    count, *shape = facts.get('trained_on', {}).get(TRAINED_ON.get(experiment.network), [0])
    if not peak or not count:
        return None
    if seconds is None:
        seconds = median(t for t in facts['seconds'][contender.name] if t is not None)
    return work.operations(experiment, tuple(shape)) * count / seconds / peak


def _verdict(contender: Contender, quotients: list[float], facts: dict[str, Any]) -> str:
    if not quotients:
        return 'not measured'
    if facts['dataset'] != 'mnist':
        return f'not judged on {facts["dataset"]}'
    if facts['others'] > _BUSY:
        return 'not judged: the machine was busy'
    if contender.experiment.precision == 'bfloat16' and not facts['bfloat16']:
        return 'not to be judged without bfloat16 instructions'
    if contender.share:
        share = share_of_peak(facts, contender)
        return 'not measured' if share is None else _met(share >= contender.share)
    return _met(contender.least <= median(quotients) <= contender.most)


def _met(reached: bool) -> str:
    return 'reached' if reached else 'missed'


def ratios(seconds: Seconds, contender: Contender) -> list[float]:
    """Returns the contender's seconds over its base's, for each round that has both."""
    of, base = (seconds.get(name) for name in (contender.name, contender.base))
    if not isinstance(of, list) or not isinstance(base, list):
        return []
    return [a / b for a, b in zip(of, base, strict=True) if a is not None and b is not None]


def _table(rows: list[list[str]]) -> str:
    """Writes a Markdown table, padded so that it reads on a terminal too."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ['-' * width for width in widths])
    padded = [[c.ljust(w) for c, w in zip(row, widths, strict=True)] for row in rows]
    return '\n'.join(f'| {" | ".join(row)} |' for row in padded)


def provenance(facts: dict[str, Any]) -> str:
    """Says by which command, when, where and on what something is measured."""
    places = ('--data_dir', '--output')
    words = [word for word in sys.argv[1:] if not word.startswith(places)]
    command = shlex.join(['python', '-m', 'bench', *words])
    versions = [f'{name} {facts[name]}' for name in ('python', 'tensorflow', 'numpy')]
    versions += [f'{name} {_version(name)}' for name in ('keras', 'torch', 'jax', 'optax')]
    parts = [
        f'`{command}`, {time.strftime("%Y-%m-%d")}',
        f'{_cpu()}, {facts["cpus"]} cores, {"with" if facts["bfloat16"] else "without"} bfloat16',
        ', '.join(versions),
        f'{facts["dataset"]}, {facts["examples"]:,} training images, {facts["rounds"]} rounds of '
        f'{facts["epochs"]} {"epoch" if facts["epochs"] == 1 else "epochs"} '
        f'({facts["bfloat16_rounds"]} in bfloat16)',
    ]
    return '; '.join(parts)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return '(not installed)'


def _cpu() -> str:
    file = Path('/proc/cpuinfo')
    lines = file.read_text().splitlines() if file.is_file() else []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.machine()
