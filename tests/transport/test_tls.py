"""TLS contexts, driven in memory: what is agreed on, and what becomes of files that change."""

from __future__ import annotations

import logging
import os
import re
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from jina.errors import ConfigError
from jina.transport.tls import RenewedContext, TlsFiles, client_context, explain, server_context


class _Clock:
    """Time that only the test moves."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def _write(folder: Path, authority: trustme.CA, *names: str) -> TlsFiles:
    """Put a certificate, its key and its authority's root into a folder."""
    issued = authority.issue_cert(*names)
    (folder / "root.pem").write_bytes(authority.cert_pem.bytes())
    (folder / "key.pem").write_bytes(issued.private_key_pem.bytes())
    (folder / "cert.pem").write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    return TlsFiles(str(folder / "cert.pem"), str(folder / "key.pem"), str(folder / "root.pem"))


def _shake(server: ssl.SSLContext, client: ssl.SSLContext, name: str = "localhost") -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Let the two agree; gives the server's side and the client's."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        server.wrap_bio(to_server, to_client, server_side=True),
        client.wrap_bio(to_client, to_server, server_hostname=name),
    )
    done = [False, False]
    while not all(done):
        for index in (1, 0):
            try:
                ends[index].do_handshake()
                done[index] = True
            except ssl.SSLWantReadError:
                pass
    return ends


def _serial(end: ssl.SSLObject) -> str:
    found = end.getpeercert()
    assert found is not None
    return str(found["serialNumber"])


def _trusting(authority: trustme.CA, alpn: tuple[str, ...] = ("h2",)) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


@pytest.mark.parametrize(
    ("offered", "asked", "agreed"),
    [
        (("h2", "http/1.1"), ("http/1.1", "h2"), "h2"),
        (("h2", "http/1.1"), ("http/1.1",), "http/1.1"),
        (("h2",), ("h2", "http/1.1"), "h2"),
        (("h2",), (), None),
        (("h2",), ("spdy/3",), None),
    ],
)
def test_the_best_protocol_that_both_know_is_agreed_on(
    tmp_path: Path, authority: trustme.CA, offered: tuple[str, ...], asked: tuple[str, ...], agreed: str | None
) -> None:
    """The server's order counts; a caller that asks for nothing known is told nothing and may go on."""
    files = _write(tmp_path, authority, "localhost")._replace(ca_certs="")
    server, client = _shake(server_context(files, offered), _trusting(authority, asked))
    assert server.selected_alpn_protocol() == client.selected_alpn_protocol() == agreed


def test_only_sound_ciphers_are_offered(tmp_path: Path, authority: trustme.CA) -> None:
    """Authenticated encryption with forward secrecy, TLS 1.2 at least, no compression, no renegotiation."""
    context = server_context(_write(tmp_path, authority, "localhost"), ("h2",))
    assert {each["protocol"] for each in context.get_ciphers()} == {"TLSv1.2", "TLSv1.3"}
    assert all(each["aead"] for each in context.get_ciphers())
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.options & ssl.OP_NO_COMPRESSION


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, authority: trustme.CA) -> None:
    """Which of the two it is, by the name of its option, and what it holds instead; on both sides."""
    cert, key, _ = _write(tmp_path, authority, "localhost")
    (tmp_path / "other").mkdir()
    other = _write(tmp_path / "other", authority, "localhost").keyfile
    gone = str(tmp_path / "nix.pem")
    for certfile, keyfile, text in (
        (gone, key, f"ssl_certfile '{gone}' cannot be read: No such file"),
        (cert, gone, f"ssl_keyfile '{gone}' cannot be read: No such file"),
        (cert, str(tmp_path), f"ssl_keyfile '{tmp_path}' cannot be read: Is a directory"),
        (key, cert, f"ssl_certfile '{key}' holds no certificate but a private key"),
        (cert, cert, f"ssl_keyfile '{cert}' holds no private key but a certificate"),
        (__file__, key, f"ssl_certfile '{__file__}' holds no certificate (PEM)"),
        (cert, "", f"ssl_certfile '{cert}' holds no private key but a certificate; give ssl_keyfile"),
        (cert, other, "do not go together"),
    ):
        files = TlsFiles(certfile, keyfile)
        with pytest.raises(ConfigError, match="^" + re.escape("TLS cannot start: ") + ".*" + re.escape(text)):
            server_context(files, ())
        with pytest.raises(ConnectionError, match="^" + re.escape("the client certificate cannot be used: ") + ".*" + re.escape(text)):
            client_context(files, ())


def test_a_caller_with_a_certificate_is_known(tmp_path: Path, authority: trustme.CA) -> None:
    """With `ca_certs` the server asks for one, and takes those of that authority."""
    files = _write(tmp_path, authority, "localhost")
    server, _ = _shake(server_context(files, ("h2",)), client_context(files, ("h2",)))
    assert _serial(server)


def test_a_caller_without_a_certificate_is_refused(tmp_path: Path, authority: trustme.CA) -> None:
    """And so is one whose certificate another authority has signed."""
    server = server_context(_write(tmp_path, authority, "localhost"), ("h2",))
    with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
        _shake(server, _trusting(authority))
    stranger = _trusting(authority)
    trustme.CA().issue_cert("client").configure_cert(stranger)
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        _shake(server, stranger)


@pytest.mark.parametrize("name", ["certfile", "keyfile", "ca_certs"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, authority: trustme.CA, name: str) -> None:
    """On either side."""
    files = _write(tmp_path, authority, "localhost")._replace(**{name: str(tmp_path / "missing.pem")})
    with pytest.raises(ConfigError, match=r"missing\.pem.*No such file"):
        server_context(files, ())
    with pytest.raises(ConnectionError, match=r"missing\.pem.*No such file"):
        client_context(files, ())


def test_an_encrypted_key_is_refused_and_not_asked_about(tmp_path: Path, authority: trustme.CA) -> None:
    """A terminal that waits for a password would hang the service."""
    from cryptography.hazmat.primitives import serialization

    files = _write(tmp_path, authority, "localhost")
    key = serialization.load_pem_private_key(Path(files.keyfile).read_bytes(), None)
    locked = serialization.BestAvailableEncryption(b"x")
    Path(files.keyfile).write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked))
    with pytest.raises(ConfigError, match="the key is encrypted; give one without a password"):
        server_context(files, ())


def test_a_name_that_is_not_in_the_certificate_is_refused_with_advice(tmp_path: Path, authority: trustme.CA) -> None:
    """Trusted is not enough; names and addresses alike."""
    server = server_context(_write(tmp_path, authority, "localhost")._replace(ca_certs=""), ("h2",))
    for name in ("example.org", "127.0.0.1"):
        with pytest.raises(ssl.SSLCertVerificationError) as caught:
            _shake(server, _trusting(authority), name)
        assert explain(caught.value).endswith("call it by a name that its certificate holds")


def test_an_old_certificate_is_told(authority: trustme.CA) -> None:
    """No other roots would help."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", not_after=datetime.now(UTC) - timedelta(days=1)).configure_cert(server)
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        _shake(server, _trusting(authority))
    assert "certificate has expired" in explain(caught.value)
    assert explain(caught.value).endswith("it must be renewed")


def test_a_private_authority_may_be_plain(tmp_path: Path) -> None:
    """Python 3.13 and newer refuse certificates without key identifiers; who names an authority's file trusts it all the same."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    keys = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in ("root", "localhost")]
    kinds = x509.BasicConstraints(ca=True, path_length=None), x509.SubjectAlternativeName([x509.DNSName("localhost")])
    for file, name, key, kind in zip(("root.pem", "cert.pem"), names, keys, kinds, strict=True):
        made = x509.CertificateBuilder(names[0], name, key.public_key(), x509.random_serial_number()).add_extension(kind, critical=False)
        now = datetime.now(UTC)
        made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        (tmp_path / file).write_bytes(made.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (tmp_path / "key.pem").write_bytes(keys[1].private_bytes(*pem))

    files = TlsFiles(*(str(tmp_path / name) for name in ("cert.pem", "key.pem", "root.pem")))
    server, _ = _shake(server_context(files, ("h2",)), client_context(files, ("h2",)))
    assert _serial(server)


def test_a_changed_certificate_is_used_for_new_connections(tmp_path: Path, authority: trustme.CA) -> None:
    """After two seconds at the latest; connections that exist go on with the old one."""
    clock = _Clock()
    files = _write(tmp_path, authority, "localhost")._replace(ca_certs="")
    server = RenewedContext(files, ("h2",), clock=clock)
    _, first = _shake(server, _trusting(authority))
    _write(tmp_path, authority, "localhost")

    clock.advance(1.0)
    _, second = _shake(server, _trusting(authority))
    assert _serial(second) == _serial(first)

    clock.advance(1.5)
    _, third = _shake(server, _trusting(authority))
    assert _serial(third) != _serial(first)
    first.write(b"still there")


def test_another_kind_of_key_replaces_the_old_one(tmp_path: Path, authority: trustme.CA) -> None:
    """No trace of the RSA certificate is left beside the ECDSA one."""
    clock = _Clock()
    rsa = authority.issue_cert("localhost", key_type=trustme.KeyType.RSA)
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    key.write_bytes(rsa.private_key_pem.bytes())
    cert.write_bytes(rsa.cert_chain_pems[0].bytes())
    server = RenewedContext(TlsFiles(str(cert), str(key)), ("h2",), clock=clock)
    _write(tmp_path, authority, "localhost")
    clock.advance(3.0)

    only_rsa = _trusting(authority)
    only_rsa.maximum_version = ssl.TLSVersion.TLSv1_2
    only_rsa.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
    with pytest.raises(ssl.SSLError, match="NO_SHARED_CIPHER"):
        _shake(server, only_rsa)


def test_a_broken_pair_is_told_once_and_not_used(tmp_path: Path, authority: trustme.CA, caplog: pytest.LogCaptureFixture) -> None:
    """A certificate comes before its key, as when somebody copies the two: the old pair serves until both are there."""
    clock = _Clock()
    files = _write(tmp_path, authority, "localhost")._replace(ca_certs="")
    server = RenewedContext(files, ("h2",), clock=clock)
    _, first = _shake(server, _trusting(authority))
    old_key = (tmp_path / "key.pem").read_bytes()
    _write(tmp_path, authority, "localhost")
    new_key = (tmp_path / "key.pem").read_bytes()
    (tmp_path / "key.pem").write_bytes(old_key)

    for _ in range(3):
        clock.advance(3.0)
        _, second = _shake(server, _trusting(authority))
        assert _serial(second) == _serial(first)
    assert ["do not go together" in record.message for record in caplog.records] == [True]

    (tmp_path / "new.pem").write_bytes(new_key)
    os.replace(tmp_path / "new.pem", tmp_path / "key.pem")
    clock.advance(3.0)
    with caplog.at_level(logging.INFO):
        _, third = _shake(server, _trusting(authority))
    assert _serial(third) != _serial(first)
    assert "goes on with the changed files" in caplog.text


def test_files_that_are_gone_for_a_moment_do_no_harm(tmp_path: Path, authority: trustme.CA) -> None:
    """The old certificate serves; what comes after it is used."""
    clock = _Clock()
    files = _write(tmp_path, authority, "localhost")._replace(ca_certs="")
    server = RenewedContext(files, ("h2",), clock=clock)
    os.unlink(files.certfile)
    clock.advance(3.0)
    _shake(server, _trusting(authority))
    _write(tmp_path, authority, "other.example")
    clock.advance(3.0)
    _shake(server, _trusting(authority), "other.example")
