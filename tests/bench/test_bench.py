"""The bench's page: ratios paired by round, verdicts, and figures of several days in one."""

import pytest

from bench import page, workers
from bench.networks import NETWORKS, WORKERS

SHALLOW = '784-300-150-300-784'
FACTS = {
    'dataset': 'mnist', 'bfloat16': False, 'others': 0.0, 'provenance': '`python -m bench`, a day',
}  # fmt: skip


def contender(network, name):
    (found,) = (c for c in NETWORKS[network] if c.name == name)
    return found


def verdict(keras, **changed):
    seconds = {'product': [1.0, 2.0, 4.0], 'Keras': keras}
    text = page.render({SHALLOW: {**FACTS, **changed, 'seconds': seconds}})
    (row,) = (line for line in text.splitlines() if line.startswith('| Keras'))
    return [cell.strip() for cell in row.split('|')[2:-1]]


def test_a_ratio_is_the_median_of_the_rounds_ratios():
    seconds = {'product': [1.0, 2.0, None], 'Keras': [3.0, 4.0, 5.0]}
    assert page.ratios(seconds, contender(SHALLOW, 'Keras')) == [3.0, 2.0]
    assert verdict([3.0, 4.0, 8.0])[:3] == ['4.000', '2.000', '2.000 to 3.000']


@pytest.mark.parametrize(
    ('keras', 'changed', 'said'),
    [
        ([2.0, 4.0, 8.0], {}, 'reached'),
        ([1.5, 3.0, 8.0], {}, 'missed'),
        ([2.0, 4.0, 8.0], {'others': 0.5}, 'not judged: the machine was busy'),
        ([2.0, 4.0, 8.0], {'dataset': 'mnist5k'}, 'not judged on mnist5k'),
        ('not installed: keras', {}, 'not measured'),
    ],
)
def test_a_verdict_says_why_where_there_is_none(keras, changed, said):
    assert verdict(keras, **changed)[-1] == said


def test_what_was_not_measured_is_said_so():
    text = page.render({SHALLOW: {**FACTS, 'seconds': {'product': [1.0]}}})
    (missing,) = text.splitlines()[-1:]
    assert missing == f'Not measured: {"; ".join(name for name in NETWORKS if name != SHALLOW)}.'
    assert sum(line.startswith('## ') for line in text.splitlines()) == 1
    assert FACTS['provenance'] in text


def test_how_many_machines_help_follows_from_the_bytes_and_the_step():
    network = f'{WORKERS}28 steps of 28, LSTM of 128 and back'
    seconds = {
        'one worker': [4.0, 4.4, None],
        'one process': [2.2, 2.2, 9.0],
        'two workers': [2.5, 2.2, 1.0],
    }
    facts = {'trained_on': {'sequences': [12_800, 28, 28]}, 'bytes': 1_250_000, 'seconds': seconds}
    _, row = workers.scaling({'LSTM': (NETWORKS[network], facts)})
    # 22 ms a step of 128; the bytes take 10, 1 and 0.1 ms: (1 / 0.85 - 1) * 22 / 2 = 1.94 ms
    assert row == [
        'LSTM', '1,250,000', '22.0', '0.90', '0.94', '1', '2', '20', '0.52', '0.92', '0.99'
    ]  # fmt: skip
    text = page.render({network: {**FACTS, **facts}})
    assert '## More machines, on paper' in text and '| 1,250,000    |' in text
