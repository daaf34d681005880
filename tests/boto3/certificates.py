"""A cloud on loopback that demands a client certificate: certificates.py FOLDER PORT, or FOLDER alone for the files.

Writes ca.pem, which it is known by, client.pem and client.key, which it knows, and stranger.pem and stranger.key,
which it does not. Whatever it is asked, it lists one instance.
"""

import datetime
import http.server
import ipaddress
import pathlib
import ssl
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

LISTED = b"""<DescribeInstancesResponse><reservationSet><item><instancesSet><item><instanceId>i-1</instanceId>
<instanceState><name>running</name></instanceState></item></instancesSet></item></reservationSet>
</DescribeInstancesResponse>"""


def main():
    folder, *port = sys.argv[1:]
    folder = pathlib.Path(folder)
    if not (folder / "ca.pem").exists():
        write(folder)
    if not port:
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    context.load_verify_locations(folder / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port[0])), Cloud)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


class Cloud(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", str(len(LISTED)))
        self.end_headers()
        self.wfile.write(LISTED)


def write(folder):
    key, authority = certificate(folder, "ca")
    certificate(folder, "server", key, authority)
    certificate(folder, "client", key, authority)
    certificate(folder, "stranger")


def certificate(folder, name, authority_key=None, authority=None):
    """One signed by the authority, or its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority.subject if authority else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=name == "ca", path_length=None), critical=True)
        .sign(authority_key or key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    secret = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / f"{name}.pem").write_bytes(made.public_bytes(encoding))
    (folder / f"{name}.key").write_bytes(secret)
    (folder / f"{name}.key").chmod(0o600)
    return key, made


if __name__ == "__main__":
    main()
