"""What TensorBoard shows of a network besides its scores: pictures, and how values are spread."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow.compat.v1 as tf
from matplotlib import colormaps
from PIL import Image
from tensorboard.plugins.image import metadata

from evaluation.baselines import MADE
from inputs.rows import Dataset, Rows, compared
from model import Network
from reports import drawing, figures

_EXAMPLES = 64  # whose activations are told, at most
_VALUES = 1 << 14  # numbers in a histogram, at most: of more, as many evenly among them
_BINS = 40
_SIDE = 64  # pixels along the sides of a picture, at most
_FILTERS = 64  # the first ones, so that each stays where it is
_COMPRESSION = 1  # of PNG, from 0 to 9: more takes longer than it spares
_RED_AND_BLUE = (colormaps['RdBu_r'](range(256))[:, :3] * 255).round().astype(np.uint8).tobytes()
_FED = ('X', 'y', 'length', 'training', 'accuracy')  # of the tensors: what is fed, or needs labels


def of(network: Network, data: Dataset) -> list[tf.Summary.Value]:
    """Returns histograms of weights and activations, and pictures, of the network as it is.

    The examples are those held out for validation, or else the test examples. Nothing is added to
    the graph, and nothing is drawn at random.
    """
    held_out, weights = data.splits.get('validation', data.splits['test']), network.values()
    names = [name for name in network.endpoints.tensors if name not in _FED]
    some = compared(held_out, min(_EXAMPLES, network.at_once()))
    found = network.together(names, some)
    made = [_histogram(f'weights/{name}', value) for name, value in weights.items()]
    made += [_histogram(f'activations/{name}', value) for name, value in found.items()]
    if not drawing.shows_series(data, some):
        made += _pictures(network, data, some, found, weights)
    return made


def _pictures(
    network: Network,
    data: Dataset,
    some: Rows,
    found: Mapping[str, np.ndarray],
    weights: Mapping[str, np.ndarray],
) -> Iterator[tf.Summary.Value]:
    """Yields rows of reconstructions and samples, and the first filters, where there are any."""
    picture, is_sequence = data.spec.picture, data.spec.layout == 'steps'
    shown = drawing.some_of_each(some)
    made = {name: values[shown] for name, values in found.items()}
    if is_sequence and (picture or data.spec.frame) and network.restored is None:
        parts = {prefix: made[name] for prefix, name in MADE.items() if name in made}
        yield _rows('sequences', *drawing.strips(data, some.take(shown), parts))
    if is_sequence or not picture:
        return
    names = [*sorted(name for name in made if name.startswith('phase')), 'outputs']
    lines = {name: made[name] for name in names if name in made}
    if lines:
        inputs = {'input': some.take(shown).targets(0, len(shown))}
        yield _rows('reconstructions', inputs | lines, picture)
    if network.decodes() and not data.spec.one_hot:
        drawn = drawing.samples(network, found['codings'], figures.SHOWN, 'held-out')
        yield _rows('samples', drawn, picture)
    if first := drawing.first_kernel(weights, picture):
        yield _filters(*first)


def _rows(tag: str, lines: Mapping[str, np.ndarray], picture: tuple[int, ...]) -> tf.Summary.Value:
    """Returns rows of pictures, [n, pixels] each, ten in a row, as one picture."""
    columns = min(figures.SHOWN, max(map(len, lines.values())))
    tiles = [
        figures.montage(figures.thumbnails(images, picture, _SIDE), columns, 255)
        for images in lines.values()
    ]
    made = Image.fromarray(_flat(np.concatenate(tiles)))
    return _image(tag, made, f'From above: {"; ".join(lines)}.')


def _filters(kernel: np.ndarray, picture: tuple[int, ...]) -> tf.Summary.Value:
    """Returns the first filters, [..., units], as one picture: in red and blue, or in colour."""
    kernel = kernel.reshape(-1, kernel.shape[-1])[:, :_FILTERS]
    limit = max(float(np.abs(kernel).max()), 1e-30)
    has_colours = picture[2:] == (3,)
    picture = picture if has_colours else picture[:2]
    shares = (0.5 + 0.5 * kernel.T / limit).reshape(-1, *picture)
    small = figures.thumbnails(shares, picture, _SIDE)
    columns = int(np.ceil(np.sqrt(len(small))))
    made = Image.fromarray(_flat(figures.montage(small, columns, 255 if has_colours else 128)))
    if not has_colours:
        made.putpalette(_RED_AND_BLUE)
    words = f'The first {len(small)} filters of layer 1, on one scale: +-{limit:.3g}.'
    return _image('filters', made, words)


def _flat(pixels: np.ndarray) -> np.ndarray:
    """Returns [H, W, 1] as [H, W]; colours stay."""
    return pixels[..., 0] if pixels.shape[2] == 1 else pixels


def _image(tag: str, made: Image.Image, words: str) -> tf.Summary.Value:
    """Returns a picture as a PNG, and words about it."""
    written = io.BytesIO()
    made.save(written, 'PNG', compress_level=_COMPRESSION)
    png = [str(made.width), str(made.height), written.getvalue()]
    told = metadata.create_summary_metadata(None, words, converted_to_tensor=True)
    return tf.Summary.Value(
        tag=tag,
        metadata=tf.SummaryMetadata.FromString(told.SerializeToString()),
        tensor=tf.make_tensor_proto(png, tf.string),
    )


def _histogram(tag: str, values: np.ndarray) -> tf.Summary.Value:
    """Returns how the values are spread, those that are finite."""
    values = values.ravel()
    if len(values) > _VALUES:
        values = values[np.linspace(0, len(values) - 1, _VALUES).astype(int)]
    values = values[np.isfinite(values)].astype(np.float64)
    if not len(values):
        values = np.zeros(1)
    counts, edges = np.histogram(values, _BINS)
    return tf.Summary.Value(
        tag=tag,
        histo=tf.HistogramProto(
            min=values.min(),
            max=values.max(),
            num=len(values),
            sum=values.sum(),
            sum_squares=np.square(values).sum(),
            bucket_limit=edges[1:],
            bucket=counts,
        ),
    )
