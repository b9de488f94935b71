"""Sockets that a service manager hands us (systemd's socket activation): open before we run, and after we have gone.

It says in the environment how many there are (`LISTEN_FDS`), for whom (`LISTEN_PID`) and how they are called (`LISTEN_FDNAMES`, set with
`FileDescriptorName=`). They begin at descriptor 3.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping

from jina.errors import ConfigError
from jina.process.stdio import above_stdio

_FIRST_FD = 3


def activated(host: str, environ: Mapping[str, str] | None = None) -> list[tuple[str, socket.socket]]:
    """Give the sockets that `host` means, each with its name (empty where it has none), under descriptors of our own.

    Raises:
        ConfigError: There are none, or one is no listening socket for streams.
    """
    environ = os.environ if environ is None else environ
    wanted = host.partition(":")[2]
    if environ.get("LISTEN_PID") != str(os.getpid()):
        whose = f"LISTEN_PID is {environ['LISTEN_PID']}" if environ.get("LISTEN_PID") else "LISTEN_PID is not set"
        raise ConfigError(f"host {host!r}: no socket was passed to this process ({whose}, it is {os.getpid()}); use a socket unit")
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    with contextlib.ExitStack() as undo:
        found = []
        for index in range(_count(environ.get("LISTEN_FDS", ""))):
            name = names[index] if index < len(names) else ""
            if wanted in ("", name):
                found.append((name, undo.enter_context(_own(_FIRST_FD + index))))
        if not found:
            there = ", ".join(map(repr, filter(None, names))) or "none with a name"
            raise ConfigError(f"host {host!r}: no such socket was passed; there are {there} (FileDescriptorName= in the socket unit)")
        undo.pop_all()
    return found


def _count(word: str) -> int:
    if not word.isdigit():
        raise ConfigError(f"the environment variable LISTEN_FDS is {word!r}; a service manager sets it to a number")
    return int(word)


def _own(fd: int) -> socket.socket:
    try:
        os.set_inheritable(fd, False)
        sock = socket.socket(fileno=above_stdio(os.dup(fd)))
    except OSError as error:
        raise ConfigError(f"descriptor {fd}, which the service manager has passed, is no open socket: {error.strerror}") from error
    if sock.type != socket.SOCK_STREAM or not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        sock.close()
        raise ConfigError(f"descriptor {fd}, which the service manager has passed, does not listen; use ListenStream= with Accept=no")
    return sock
