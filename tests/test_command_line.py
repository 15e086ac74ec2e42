"""Command lines as they are told to people."""

import os
import shutil
import subprocess

import pytest

import inst
from command_line import command, flags_of, parse, settable
from system.errors import UsageError


@pytest.mark.skipif(not shutil.which('bash'), reason='needs bash')
@pytest.mark.parametrize('name', [b"it's $HOME [a]", b'a\xff\n\\x41', '猫 é'.encode()])
def test_a_shell_reads_a_command_as_it_is_meant_whatever_the_paths(name):
    path = os.fsdecode(name)
    experiment = inst.basic.vary(dataset='array', data_path=path, epochs=3)
    told = command(experiment, inst.basic)
    assert told.isprintable()
    read = subprocess.run(['bash', '-c', f"printf '%s\\0' {told}"], stdout=-1, check=True).stdout
    words = [os.fsdecode(word) for word in read.split(b'\0')[:-1]]
    assert words == ['python', 'main.py', *flags_of(experiment, inst.basic)]
    assert f'--array={path}' in words


def test_a_misspelt_field_of_the_parent_is_told_as_it_is_set():
    known = settable(inst.phasewise_classifier)
    with pytest.raises(UsageError, match=r"did you mean 'parent\.hidden'\? --describe"):
        parse('hiden', '3', known)
    with pytest.raises(UsageError, match=r'belongs to its parent, write parent\.hidden'):
        inst.phasewise_classifier.vary(hidden=(3,))
