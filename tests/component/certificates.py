# SPDX-License-Identifier: Apache-2.0
"""Certificates, good and bad in one way each, made by python3-cryptography while the tests run."""

import base64
import datetime
import hashlib
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

START = datetime.datetime(2020, 1, 1)
END = datetime.datetime(2049, 12, 31)
SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
PRIVATE_EXTENSION = x509.ObjectIdentifier("1.3.6.1.4.1.55555.1")  # known to nobody


def alternative_name(text):
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def key_usage(**wanted):
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
             "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: wanted.get(name, False) for name in names})


def unknown_extension():
    return x509.UnrecognizedExtension(PRIVATE_EXTENSION, b"\x05\x00")


def names_below(domain):
    return x509.NameConstraints([x509.DNSName(domain)], None)


def dns_names(*names):
    """Alternative names that are no addresses, even if they look so."""
    return x509.SubjectAlternativeName([x509.DNSName(name) for name in names])


def must_staple():
    return x509.TLSFeature([x509.TLSFeatureType.status_request])


def rsa_key(bits=2048):
    return rsa.generate_private_key(65537, bits)


def ed25519_key():
    return ed25519.Ed25519PrivateKey.generate()


class Certificate:
    """A key and a certificate, signed by `issuer` or by itself. `path` has the chain as a server sends
    it: what is `above`, or else all but the root. `critical` and `plain` are further extensions,
    `damaged` is a signature with a wrong bit, `subject` a common name other than the file's."""

    def __init__(self, directory, name, issuer=None, *, names=(), authority=False, path_length=None,
                 start=START, end=END, key=None, digest=None, purpose=SERVER, critical=(), plain=(),
                 above=None, damaged=False, subject=None):
        self.name = subject or name
        self.issuer = issuer
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        signer = issuer or self
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.subject)
            .issuer_name(signer.subject)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(authority, path_length), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key()), False)
        )
        if authority:
            builder = builder.add_extension(key_usage(key_cert_sign=True, crl_sign=True), True)
        elif purpose:
            builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), False)
        if names:
            alternatives = x509.SubjectAlternativeName(map(alternative_name, names))
            builder = builder.add_extension(alternatives, False)
        for extension in critical:
            builder = builder.add_extension(extension, True)
        for extension in plain:
            builder = builder.add_extension(extension, False)
        self.certificate = builder.sign(signer.key, digest or hashes.SHA256())
        self.damaged = damaged
        self.above = self.authorities() if above is None else above
        self.path = directory / f"{name}.pem"
        self.path.write_text(self.pem() + self.above)
        self.key_path = directory / f"{name}.key"
        self.key_path.write_bytes(self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()))

    @property
    def subject(self):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])

    def pem(self):
        der = bytearray(self.certificate.public_bytes(serialization.Encoding.DER))
        if self.damaged:
            der[-1] ^= 1  # the end of the signature
        text = base64.encodebytes(bytes(der)).decode()
        return f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n"

    def authorities(self):
        """All above it but the root."""
        is_below_root = not self.issuer or not self.issuer.issuer
        return "" if is_below_root else self.issuer.pem() + self.issuer.authorities()

    def bundle(self):
        """Everything in one, as some servers want it."""
        return self.path.read_text() + self.key_path.read_text()

    def pin(self):
        key = self.key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(hashlib.sha256(key).digest()).decode()

    def revocation(self, path):
        """An answer of its authority that it is revoked, for stapling; the path."""
        now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
        response = (
            ocsp.OCSPResponseBuilder()
            .add_response(
                self.certificate, self.issuer.certificate, hashes.SHA1(), ocsp.OCSPCertStatus.REVOKED,
                this_update=now - datetime.timedelta(hours=1),
                next_update=now + datetime.timedelta(days=1),
                revocation_time=START, revocation_reason=x509.ReasonFlags.key_compromise)
            .responder_id(ocsp.OCSPResponderEncoding.NAME, self.issuer.certificate)
            .sign(self.issuer.key, hashes.SHA256())
        )
        path.write_bytes(response.public_bytes(serialization.Encoding.DER))
        return path


class Authorities:
    """Two roots, an intermediate, and what they sign."""

    def __init__(self, directory):
        self.directory = directory
        self.n = 0
        self.root = self.authority("root")
        self.other = self.authority("other root")
        self.intermediate = self.authority("intermediate", self.root)
        self.good = self.leaf(names=["localhost", "127.0.0.1", "::1"])
        self.client = self.leaf("client", purpose=CLIENT)

    def authority(self, name, issuer=None, **options):
        return Certificate(self.directory, name, issuer, authority=True, **options)

    def leaf(self, name=None, issuer=None, names=("localhost",), **options):
        self.n += 1
        name = name or f"server {self.n}"
        return Certificate(self.directory, name, issuer or self.root, names=names, **options)
