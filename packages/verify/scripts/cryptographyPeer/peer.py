"""
A second opinion on Nitro documents, written from AWS's description of them on pyca/cryptography and cbor2: it shares no
code and no library with ours. One JSON request a line in, one JSON verdict a line out.
"""

import io
import json
import sys

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

KNOWN_CRITICAL = {x509.oid.ExtensionOID.BASIC_CONSTRAINTS, x509.oid.ExtensionOID.KEY_USAGE}


def need(holds, what):
    if not holds:
        raise ValueError(what)


def decode(data):
    stream = io.BytesIO(data)
    value = cbor2.load(stream)
    need(stream.read() == b"", "trailing bytes")
    return value


def extension(certificate, kind):
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def check_chain(chain, moment):
    for at, certificate in enumerate(chain):
        for one in certificate.extensions:
            need(not one.critical or one.oid in KNOWN_CRITICAL, "critical extension")
        begins = certificate.not_valid_before_utc.timestamp()
        ends = certificate.not_valid_after_utc.timestamp()
        need(begins <= moment <= ends, "certificate not valid then")
        need(isinstance(certificate.public_key(), ec.EllipticCurvePublicKey), "key")
        need(certificate.public_key().curve.name == "secp384r1", "curve")
        need(isinstance(certificate.signature_hash_algorithm, hashes.SHA384), "hash")
        constraints = extension(certificate, x509.BasicConstraints)
        usage = extension(certificate, x509.KeyUsage)
        if at + 1 < len(chain):
            need(constraints is not None and constraints.ca, "not a CA")
            need(usage is not None and usage.key_cert_sign, "may not sign certificates")
            below = len(chain) - at - 2
            need(constraints.path_length is None or below <= constraints.path_length, "path length")
            chain[at + 1].verify_directly_issued_by(certificate)
        else:
            need(constraints is None or not constraints.ca, "leaf is a CA")
            need(usage is not None and usage.digital_signature and not usage.key_cert_sign, "leaf usage")
            need(ends - begins <= 4 * 3600, "long leaf")


def judge(request):
    document = bytes.fromhex(request["parts"][0])
    need(len(document) <= 16384, "size")
    protected, unprotected, payload, signature = decode(document)
    need(decode(protected) == {1: -35} and unprotected == {} and len(signature) == 96, "header")
    members = decode(payload)
    need(members["digest"] == "SHA384", "digest")
    for index, value in members["pcrs"].items():
        need(0 <= index <= 31 and len(value) == 48, "register")
    need(all(index in members["pcrs"] for index in (0, 1, 2)), "registers")
    need(members["cabundle"][0] == bytes.fromhex(request["root"]), "root")
    chain = [x509.load_der_x509_certificate(one) for one in [*members["cabundle"], members["certificate"]]]
    check_chain(chain, members["timestamp"] // 1000)
    r, s = int.from_bytes(signature[:48], "big"), int.from_bytes(signature[48:], "big")
    structure = cbor2.dumps(["Signature1", protected, b"", payload])
    chain[-1].public_key().verify(encode_dss_signature(r, s), structure, ec.ECDSA(hashes.SHA384()))
    need(any(any(members["pcrs"][index]) for index in (0, 1, 2)), "debug")
    need(-60_000 <= request["now"] * 1000 - members["timestamp"] <= 300_000, "age")


for line in sys.stdin:
    try:
        judge(json.loads(line))
        verdict = {"ok": True}
    except BaseException as error:  # a panic of a Rust library is none of Exception
        verdict = {"ok": False, "error": f"{type(error).__name__}: {error}"[:300]}
    print(json.dumps(verdict), flush=True)
