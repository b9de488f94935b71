"""Let testssl.sh look at our ports: `python -m tests.interop.testssl` (Debian's package `testssl.sh`; ten minutes).

A service of HTTP, one of gRPC, and one of all protocols, with an RSA certificate and with an ECDSA one. Exits with 1 if anything is found
that is not named in EXPECTED.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import trustme

from jina import Deployment, Executor

EXPECTED = {
    "cert_revocation": "the test's authority has no revocation list",
    "cert_validityPeriod": "the test's certificate is valid for ever",
    "DNS_CAArecord": "localhost is in no name server",
    "sessionresumption_ticket": "its client often hangs up before the ticket comes, which is no finding; tests/process/test_tls.py resumes",
    "HSTS": "that a host will speak TLS for ever is for its owner to say, not for a library",
    "security_headers": "what a page may load is for a web app to say",
}
PORTS = {"http": ["http"], "grpc": ["grpc"], "all": ["http", "grpc", "websocket"]}


def findings(port: int, root: Path, report: Path) -> dict[str, str]:
    """What testssl.sh finds weak at a port: by name, with severity and text."""
    program = shutil.which("testssl") or shutil.which("testssl.sh") or sys.exit("testssl.sh is not installed")
    words = ["--quiet", "--color", "0", "--warnings", "off", "--ip", "127.0.0.1", "--add-ca", str(root), "--jsonfile", str(report)]
    subprocess.run([program, *words, f"localhost:{port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    found = json.loads(report.read_text())
    if len(found) < 100:
        sys.exit(f"testssl.sh has looked at {len(found)} things only; see what it says to: {program} localhost:{port}")
    return {each["id"]: f"{each['severity']}: {each['finding']}" for each in found if each["severity"] not in ("OK", "INFO", "DEBUG")}


def main() -> int:
    """Look at all of them."""
    n_weak = 0
    with tempfile.TemporaryDirectory() as name:
        folder, authority = Path(name), trustme.CA()
        root, own = folder / "root.pem", folder / "own.pem"
        authority.cert_pem.write_to_path(str(root))
        for key in trustme.KeyType:
            authority.issue_cert("localhost", "127.0.0.1", key_type=key).private_key_and_cert_chain_pem.write_to_path(str(own))
            for kind, protocols in PORTS.items():
                files = {"ssl_certfile": str(own), "ssl_keyfile": str(own)}
                with Deployment(uses=Executor, protocol=protocols, port=0, quiet=True, **files) as service:
                    found = findings(service.port, root, folder / f"{key.name}-{kind}.json")
                weak = {each: text for each, text in found.items() if each not in EXPECTED}
                n_weak += len(weak)
                print(f"{key.name} {kind}: {len(weak)} weak; expected: {', '.join(sorted(found.keys() & EXPECTED.keys()))}", flush=True)
                for each, text in weak.items():
                    print(f"  {each}: {text}", flush=True)
    return 1 if n_weak else 0


if __name__ == "__main__":
    sys.exit(main())
