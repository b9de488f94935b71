"""Unix sockets that are public: a path in the file system, which must be free, must not be somebody's, and must go when we go.

A socket file outlives a service that dies. Whether one that is there is still somebody's is asked twice: by connecting to it, and by
a name of the kernel's (an abstract socket, on Linux) that whoever binds the path holds from then on, because a service that is about to
start does not listen yet.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import socket
import stat
import sys

from jina.errors import ConfigError, PortAlreadyUsed
from jina.options.address import ABSTRACT
from jina.process.forks import keep_from_forks, no_longer_ours
from jina.process.stdio import above_stdio

_MODES = {"owner": 0o600, "group": 0o660, "everyone": 0o666}
_TAKEN = "a service uses it already; stop that, or choose another path"


class UnixSocket:
    """A bound Unix socket, which does not listen yet.

    Attributes:
        sock: The socket.
    """

    def __init__(self, path: str, access: str = "owner") -> None:
        """Bind.

        Args:
            path: Where; a name behind a zero byte is one of the kernel's (abstract) and no file.
            access: Whose processes may connect: those of the `owner`, of the `group` too, or of `everyone`.

        Raises:
            PortAlreadyUsed: A service that lives has the path.
            ConfigError: The path cannot be used.
        """
        self._path, self._mode = os.path.abspath(path) if path[0] != ABSTRACT else path, _MODES[access]
        self._guard: socket.socket | None = None
        self._inode: tuple[int, int] | None = None
        self.sock = _new()
        try:
            self._bind()
        except OSError as error:
            self.close()
            if error.errno == errno.EADDRINUSE:
                raise PortAlreadyUsed(f"Unix socket {self._shown!r}: {_TAKEN}") from None
            raise ConfigError(f"cannot listen on Unix socket {self._shown!r}: {error.strerror or error}") from None
        except BaseException:
            self.close()
            raise

    @property
    def _shown(self) -> str:
        return self._path.replace(ABSTRACT, "unix-abstract:")

    def _bind(self) -> None:
        if self._path[0] == ABSTRACT:
            self.sock.bind(self._path)
            return
        self._guard = _guard(self._path)
        self._remove_stale()
        self._make_file(self.sock)

    def _make_file(self, sock: socket.socket) -> None:
        sock.bind(self._path)
        os.chmod(self._path, self._mode)  # nobody can have connected before: it does not listen
        found = os.stat(self._path)
        self._inode = (found.st_dev, found.st_ino)

    def renew(self) -> bool:
        """Make the file again if somebody has removed it, and say whether that was so.

        The descriptor stays the same and means a new socket, which does not listen yet; a process that inherited the old one keeps that.

        Raises:
            OSError: It cannot be made.
        """
        if self._path[0] == ABSTRACT or os.path.lexists(self._path):
            return False
        with _new() as fresh:
            self._make_file(fresh)
            fresh.setblocking(self.sock.getblocking())
            os.dup2(fresh.fileno(), self.sock.fileno(), inheritable=False)
        return True

    def _remove_stale(self) -> None:
        try:
            found = os.lstat(self._path)
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(found.st_mode):
            raise ConfigError(f"cannot listen on Unix socket {self._path!r}: there is a file that is no socket; choose another path")
        with socket.socket(socket.AF_UNIX) as probe:
            probe.setblocking(False)  # where the queue is full it lives
            try:
                probe.connect(self._path)
            except ConnectionRefusedError:
                os.unlink(self._path)
                return
            except BlockingIOError:
                pass
        raise OSError(errno.EADDRINUSE, _TAKEN)

    def close(self) -> None:
        """Give the path back: remove the file, unless somebody else has put another in its place."""
        self.sock.close()
        if self._inode is not None:
            remove(self._path, self._inode)
            self._inode = None
        if self._guard is not None:
            no_longer_ours(self._guard.fileno())
            self._guard.close()
            self._guard = None


def remove(path: str, inode: tuple[int, int] | None = None) -> None:
    """Remove a socket file; with `inode` (device and number) only if it is that one."""
    with contextlib.suppress(OSError):
        found = os.lstat(path)
        if inode in (None, (found.st_dev, found.st_ino)):
            os.unlink(path)


def _new() -> socket.socket:
    return socket.socket(fileno=above_stdio(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).detach()))


def _guard(path: str) -> socket.socket | None:
    """Take the kernel's name for this path in this folder; it is free again when the process that took it ends."""
    if sys.platform != "linux":
        return None
    folder = os.stat(os.path.dirname(path))
    guard = _new()
    try:
        name = hashlib.sha256(f"{folder.st_dev} {folder.st_ino} {os.path.basename(path)}".encode()).hexdigest()
        guard.bind(f"\0openjina-{name}")
    except OSError:
        guard.close()
        raise
    keep_from_forks(guard.fileno())
    return guard
