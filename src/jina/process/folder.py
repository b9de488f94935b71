"""The folder that a service keeps its sockets and notes in. Only its owner may look into it.

Programs that clean temporary folders may take it away while the service runs, so it is made again whenever somebody will need it.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import tempfile
from pathlib import Path

_MAX_BYTES = 60
"""A socket's address is about 100 bytes long, and our own names need the rest."""
SHORT = "/tmp"


class Folder:
    """A folder of a name that nobody else has; nothing is on the disk before `make`."""

    def __init__(self) -> None:
        base = tempfile.gettempdir()
        if len(os.fsencode(base)) > _MAX_BYTES and os.path.isdir(SHORT):
            base = SHORT
        self.path = Path(base, f"openjina-{secrets.token_hex(6)}")

    def make(self) -> Path:
        """Make it, unless it is there.

        Raises:
            OSError: It cannot be made, or somebody else has made it.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.path.mkdir(mode=0o700)
        except FileExistsError:
            found = self.path.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
                raise OSError(f"{self.path} is not ours: somebody has put it where our folder was") from None
        return self.path

    def remove(self) -> None:
        """Remove it with all that is in it; harmless where it is not there."""
        shutil.rmtree(self.path, ignore_errors=True)
