"""A certificate authority that no system knows, and a server certificate of its for loopback."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Authority:
    """`pem` is the file with its certificate; `tls` what a server on loopback answers with, `server_pem` as a file."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.pem = folder / "authority.pem"
        key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Made for a test")])
        own = _certificate(name, key.public_key(), name)
        own = own.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
        served = _certificate(subject, server_key.public_key(), name)
        address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        served = served.add_extension(address, critical=False)
        authority = own.sign(key, hashes.SHA256())
        self.pem.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
        self.server_pem = folder / "server.pem"
        self.server_pem.write_bytes(
            server_key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + served.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        )
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(self.server_pem)


def _certificate(subject: x509.Name, key: ec.EllipticCurvePublicKey, issuer: x509.Name) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )
