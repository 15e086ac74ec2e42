"""What this process listens on is kept to this machine."""

import socket
import sys

import pytest

from system import listening

pytestmark = pytest.mark.skipif(sys.platform != 'linux', reason='of Linux')


@pytest.mark.parametrize('address', ['127.0.0.1', '0.0.0.0', '::'])
def test_a_listener_is_bound_to_the_loopback_device_and_still_reached(address):
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as listener:
        port = listener.getsockname()[1]
        assert listening.keep_to_this_machine(port)
        device = listener.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16)
        assert device.rstrip(b'\0') == b'lo'
        here = '::1' if family == socket.AF_INET6 else '127.0.0.1'
        socket.create_connection((here, port), timeout=10).close()


def test_only_listeners_of_that_port_are_touched():
    with socket.create_server(('', 0)) as one, socket.create_server(('', 0)) as other:
        assert listening.keep_to_this_machine(one.getsockname()[1])
        assert not other.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16).rstrip(b'\0')


def test_what_nobody_listens_on_is_not_said_to_be_kept():
    with socket.create_server(('', 0)) as listener:
        port = listener.getsockname()[1]
    assert not listening.keep_to_this_machine(port)


def test_where_the_device_cannot_be_set_it_is_not_said_to_be(monkeypatch):
    monkeypatch.setattr(listening, '_LOOPBACK', b'none-such')
    with socket.create_server(('', 0)) as listener:
        assert not listening.keep_to_this_machine(listener.getsockname()[1])
