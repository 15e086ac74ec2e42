"""What is lost of pictures, of 16 bits or of several pages, is told before they are recorded."""

import zlib

import numpy as np
import pytest
from conftest import png_of
from PIL import Image
from test_pictures import SMALL, load


@pytest.mark.parametrize(
    ('most', 'ends', 'words'),
    [
        (4095, 'png', 'reach 4,095, which leaves about 17 levels'),
        (4095, 'tif', 'reach 4,095'),
        (65535, 'png', 'pictures of 16 bits are recorded in 8, 65,535 as white'),
        (255, 'png', ''),
    ],
)
def test_what_is_lost_of_16_bits_is_told(tmp_path, data_dir, capsys, most, ends, words):
    kind = np.uint8 if most == 255 else np.uint16
    (tmp_path / 'cells').mkdir()
    for number in range(12):
        values = np.linspace(number, most, 200).reshape(10, 20).astype(kind)
        Image.fromarray(values).save(tmp_path / f'cells/{number}.{ends}')
    load(tmp_path / 'cells', data_dir, SMALL.vary(image_channels=1))
    told = [line for line in capsys.readouterr().out.splitlines() if '16 bits' in line]
    assert len(told) == bool(words) and all(words in line for line in told)
    assert all(line.startswith('warning: ') == (most == 4095) for line in told)


@pytest.mark.parametrize(
    ('most', 'words'),
    [(4095, 'reach 4,095, which leaves about 17 levels'), (65535, '65,535 as white')],
)
def test_colours_of_16_bits_are_told_of_as_well(tmp_path, data_dir, capsys, most, words):
    (tmp_path / 'cells').mkdir()
    for number in range(12):
        values = np.linspace(number, most, 600).reshape(10, 60).astype('>u2')
        rows = b''.join(b'\0' + row.tobytes() for row in values)
        made = png_of(20, 10, 2, (b'IDAT', zlib.compress(rows)), (b'IEND', b''), bits=16)
        (tmp_path / f'cells/{number}.png').write_bytes(made)
    load(tmp_path / 'cells', data_dir)
    (told,) = [line for line in capsys.readouterr().out.splitlines() if '16 bits' in line]
    assert words in told and told.startswith('warning: ') == (most == 4095)


@pytest.mark.parametrize('ends', ['tif', 'gif', 'webp', 'png'])
def test_that_one_page_of_several_is_recorded_is_told(tmp_path, data_dir, capsys, ends):
    (tmp_path / 'cells').mkdir()
    for number in range(12):
        pages = [Image.new('L', (20, 10), 9 * number + 60 * page) for page in range(3)]
        more = {'save_all': True, 'append_images': pages[1:]} if number == 7 else {}
        pages[0].save(tmp_path / f'cells/{number}.{ends}', **more)
    load(tmp_path / 'cells', data_dir, SMALL.vary(image_channels=1))
    told = [line for line in capsys.readouterr().out.splitlines() if 'first page' in line]
    assert len(told) == 1 and told[0].startswith('warning: ') and f'7.{ends} has 3;' in told[0]


def test_previews_in_photographs_are_no_pages(tmp_path, data_dir, capsys):
    (tmp_path / 'photographs').mkdir()
    for number in range(12):
        pages = [Image.new('RGB', (20 >> page, 16), (9 * number,) * 3) for page in range(2)]
        path = tmp_path / f'photographs/{number}.jpg'
        pages[0].save(path, 'MPO', save_all=True, append_images=pages[1:])
    load(tmp_path / 'photographs', data_dir, SMALL)
    assert 'first page' not in capsys.readouterr().out
