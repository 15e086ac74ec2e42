"""Files that claim or unpack to more than they should, archives and downloads that are not right."""

import gzip
import io
import json
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, png_of
from PIL import Image

import dataset
import inst
from inputs import sources
from system.errors import DataError

LIMIT = 20  # MB that a refusal may take, at most


def idx_that_claims(folder: Path) -> Path:
    file = folder / 'x.gz'
    with gzip.open(file, 'wb', compresslevel=1) as opened:
        opened.write(struct.pack('>BBBB3I', 0, 0, 8, 3, 1 << 20, 1 << 10, 1 << 10))
        opened.write(bytes(1 << 20))
    return file


def idx_with_more_than_it_says(folder: Path) -> Path:
    file = folder / 'x.gz'
    with gzip.open(file, 'wb', compresslevel=1) as opened:
        opened.write(struct.pack('>BBBB3I', 0, 0, 8, 3, 10, 2, 2))
        for _ in range(300):
            opened.write(bytes(1 << 20))
    return file


def npy_header(shape: tuple[int, ...]) -> bytes:
    written = io.BytesIO()
    header = {'descr': '<f4', 'fortran_order': False, 'shape': shape}
    np.lib.format.write_array_header_1_0(written, header)
    return written.getvalue()


def npz_that_claims(folder: Path) -> Path:
    file = folder / 'x.npz'
    with zipfile.ZipFile(file, 'w') as opened:
        opened.writestr('x.npy', npy_header((1 << 40, 8)))
    return file


def npz_that_lies(folder: Path) -> Path:
    """Its directory says that the array, of a gigabyte by its own header, has a kilobyte."""
    file = folder / 'x.npz'
    with zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED, compresslevel=1) as opened:
        opened.writestr('x.npy', npy_header((1 << 25, 8)) + bytes(200 << 20))
    content = bytearray(file.read_bytes())
    at = content.rindex(b'PK\x01\x02') + 24
    content[at : at + 4] = struct.pack('<I', 1024)
    file.write_bytes(content)
    return file


def npy(folder: Path) -> Path:
    file = folder / 'x.npz'
    file.write_bytes(npy_header((1 << 38,)))
    return file


def npz_with_a_long_header(folder: Path) -> Path:
    file = folder / 'x.npz'
    text = b"{'descr': '<f4', 'fortran_order': False, 'shape': (" + b'1,' * 50_000_000 + b')}'
    with zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED, compresslevel=1) as opened:
        opened.writestr('x.npy', b'\x93NUMPY\x02\x00' + struct.pack('<I', len(text)) + text)
    return file


def png(folder: Path) -> Path:
    file = folder / 'x.png'
    file.write_bytes(png_of(9500, 9500, 6, (b'IDAT', zlib.compress(b'0' * 900))))
    return file


def png_with_a_long_text(folder: Path) -> Path:
    file = folder / 'x.png'
    text = b'a\0\0' + zlib.compress(bytes(300 << 20), 1)
    file.write_bytes(png_of(32, 32, 2, (b'zTXt', text)))
    return file


def jpeg(folder: Path) -> Path:
    file = folder / 'x.jpg'
    Image.new('L', (32, 32)).save(file)
    content = bytearray(file.read_bytes())
    at = content.index(b'\xff\xc0') + 5  # of the frame: height and width
    content[at : at + 4] = struct.pack('>HH', 65000, 65000)
    file.write_bytes(content)
    return file


def gif(folder: Path) -> Path:
    file = folder / 'x.gif'
    Image.new('P', (32, 32)).save(file)
    content = bytearray(file.read_bytes())
    content[6:10] = struct.pack('<HH', 65000, 65000)
    file.write_bytes(content)
    return file


READ = {
    '.gz': 'lambda: foreign.read_idx(Path(file), dimensions=3)',
    '.npz': 'lambda: foreign.read_npz(file)',
    '': 'lambda: conversion.fitted(file, (32, 32, 3))',
}
BOMBS = [
    (idx_that_claims, 'would take 1,100 GB'), (idx_with_more_than_it_says, 'too long'),
    (npz_that_claims, 'damage'), (npz_that_lies, 'damage'), (npy, 'one array without a name'),
    (npz_with_a_long_header, 'damage'),
    (png, 'exceeds limit'), (png_with_a_long_text, 'too large'), (jpeg, 'exceeds limit'),
    (gif, 'exceeds limit'),
]  # fmt: skip


@pytest.mark.parametrize(('make', 'words'), BOMBS, ids=[make.__name__ for make, _ in BOMBS])
def test_a_bomb_is_refused_and_takes_little_memory(tmp_path, make, words):
    file = make(tmp_path)
    assert file.stat().st_size < 2 << 20
    script = (
        'import json, re, sys; from pathlib import Path; from inputs import conversion, foreign\n'
        'status = Path("/proc/self/status")\n'
        'def peak(): return int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1])\n'
        f'file, before = sys.argv[1], peak()\ntry: ({READ.get(file.suffix, READ[""])})()\n'
        'except Exception as e: print(json.dumps([str(e), type(e).__name__, peak() - before]))'
    )
    done = subprocess.run(
        [sys.executable, '-c', script, str(file)], cwd=ROOT, capture_output=True, text=True
    )
    said, kind, kilobytes = json.loads(done.stdout)
    assert words in said and kilobytes < LIMIT << 10, (said, kilobytes)
    if file.suffix in READ:
        assert kind == 'DataError' and '\n' not in said


def archive(folder: Path, *extra: tuple[tarfile.TarInfo, bytes]) -> Path:
    """Writes an archive of 40 pictures of 32x32, and what else it is to hold."""
    written = io.BytesIO()
    Image.new('RGB', (32, 32)).save(written, 'JPEG')
    file = folder / 'cifar10-images.tar.gz'
    with tarfile.open(file, 'w:gz', compresslevel=1) as opened:
        for split in ('train', 'test'):
            for i in range(20):
                member = tarfile.TarInfo(f'cifar10/{split}/{"cat" if i % 2 else "dog"}/{i}.jpg')
                member.size = len(written.getvalue())
                opened.addfile(member, io.BytesIO(written.getvalue()))
        for member, content in extra:
            member.size = len(content)
            opened.addfile(member, io.BytesIO(content))
    return file


def test_no_member_of_an_archive_leaves_the_folder(tmp_path, monkeypatch):
    """Members are read and never unpacked; links among them are not followed."""
    monkeypatch.delenv('DATASETS_DIR', raising=False)
    folder = tmp_path / 'inner' / 'data'
    folder.mkdir(parents=True)
    link = tarfile.TarInfo('cifar10/train/cat/link.jpg')
    link.type, link.linkname = tarfile.SYMTYPE, '/etc/passwd'
    device = tarfile.TarInfo('cifar10/train/cat/device.jpg')
    device.type = tarfile.CHRTYPE
    outside = [tarfile.TarInfo(name) for name in ('../../out.txt', '/tmp/../out.txt')]
    archive(folder, (link, b''), (device, b''), *((member, b'words') for member in outside))
    data = dataset.load(inst.conv_vae_cifar, folder)
    assert len(data.splits['test']) == 20 and data.spec.classes == ('cat', 'dog')
    found = {p.relative_to(tmp_path).parts[:3] for p in tmp_path.rglob('*') if p.is_file()}
    assert {parts[:2] for parts in found} == {('inner', 'data')}
    assert {parts[2] for parts in found} <= {'cifar10-images.tar.gz', 'records'}


def huge_picture() -> bytes:
    written = io.BytesIO()
    Image.new('RGB', (64, 32)).save(written, 'JPEG')
    content = bytearray(written.getvalue())
    at = content.index(b'\xff\xc0') + 5
    content[at : at + 4] = struct.pack('>HH', 65000, 65000)
    return bytes(content)


@pytest.mark.parametrize(
    ('content', 'words'),
    [(bytes(3 << 20), 'too many'), (huge_picture(), 'limit'), (b'words', 'cannot be read')],
)
def test_a_picture_of_an_archive_that_is_none_is_named(tmp_path, monkeypatch, content, words):
    monkeypatch.delenv('DATASETS_DIR', raising=False)
    archive(tmp_path, (tarfile.TarInfo('cifar10/train/cat/bad.jpg'), content))
    with pytest.raises(DataError, match='bad.jpg') as raised:
        dataset.load(inst.conv_vae_cifar, tmp_path)
    assert words in str(raised.value) and '\n' not in str(raised.value)


@pytest.mark.parametrize('name', ['mnist', 'fashion_mnist', 'cifar10'])
def test_a_download_of_another_checksum_is_refused_and_not_kept(name, tmp_path, monkeypatch):
    from keras.src.utils import file_utils

    def other(url: str, target: str, *_) -> None:
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        with gzip.open(target, 'wb') as opened:
            opened.write(struct.pack('>BBBB3I', 0, 0, 8, 3, 6000, 2, 2) + bytes(24000))

    monkeypatch.setattr(file_utils, 'urlretrieve', other)
    monkeypatch.setattr(file_utils.config, 'keras_home', lambda: str(tmp_path / '.keras'))
    monkeypatch.setattr(sources, 'places_of', lambda data_dir, *names: [tmp_path / 'nowhere'])
    monkeypatch.setenv('HOME', str(tmp_path))
    for _ in range(2):  # nor is it read the second time
        with pytest.raises(DataError, match='hash does not match'):
            sources.read(name, '', tmp_path)
    assert not list(tmp_path.glob('.keras/datasets/fashion-mnist/*'))
