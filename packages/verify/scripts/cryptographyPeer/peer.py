"""
A second opinion on Nitro documents and SEV-SNP reports, written from AWS's and AMD's descriptions of them on
pyca/cryptography and cbor2: it shares no code and no library with ours. One JSON request a line in, one JSON verdict a
line out.
"""

import io
import json
import sys

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
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


def judge_nitro(request):
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


ARC = "1.3.6.1.4.1.3704.1."
#: Parts of a TCB_VERSION by byte, as the ends of their extensions' OIDs; None is reserved.
LAYOUTS = {
    "Milan": ["3.1", "3.2", None, None, None, None, "3.3", "3.8"],
    "Genoa": ["3.1", "3.2", None, None, None, None, "3.3", "3.8"],
    "Turin": ["3.9", "3.1", "3.2", "3.3", None, None, None, "3.8"],
}
RESERVED = {2: [(0x188, 0x1A0), (0x1F8, 0x2A0)], 3: [(0x18B, 0x1A0), (0x208, 0x2A0)]}


def amd_extension(certificate, end):
    value = certificate.extensions.get_extension_for_oid(x509.ObjectIdentifier(ARC + end)).value.value
    return value[2:] if value[:1] in (b"\x02", b"\x16") else value


def need_pss(holder):
    scheme = holder.signature_algorithm_parameters
    need(isinstance(scheme, padding.PSS) and scheme._salt_length == 48, "PSS")
    need(isinstance(holder.signature_hash_algorithm, hashes.SHA384), "hash")


def check_snp_form(report):
    need(len(report) == 1184, "size")
    version = int.from_bytes(report[:4], "little")
    need(2 <= version <= 5 and report[0x34:0x38] == b"\x01\0\0\0", "version or algorithm")
    reserved = [(0x4C, 0x50), (0x1EB, 0x1EC), (0x1EF, 0x1F0), (0x2D0, 0x2E8), (0x318, 1184)]
    for start, end in reserved + RESERVED[min(version, 3)]:
        need(not any(report[start:end]), "reserved")
    flags = int.from_bytes(report[0x48:0x4C], "little")
    need(flags >> 5 == 0 and flags & 2 == 0 and (flags >> 2) & 7 == 0, "signing key")
    policy = int.from_bytes(report[8:16], "little")
    need(policy >> 26 == 0 and policy >> 17 & 1 == 1, "reserved policy")
    need(policy >> 18 & 3 == 0 and not any(report[0x30:0x34]), "debug, migration or VMPL")
    return version


def check_crl(data, ark, ask, now):
    crl = x509.load_der_x509_crl(data)
    need(crl.issuer == ark.subject, "issuer of the list")
    scheme = padding.PSS(padding.MGF1(hashes.SHA384()), 48)
    ark.public_key().verify(crl.signature, crl.tbs_certlist_bytes, scheme, hashes.SHA384())
    need(crl.last_update_utc.timestamp() <= now <= crl.next_update_utc.timestamp(), "age of the list")
    need(crl.get_revoked_certificate_by_serial_number(ask.serial_number) is None, "revoked")


def judge_snp(request):
    report, *others = [bytes.fromhex(part) for part in request["parts"]]
    version = check_snp_form(report)
    need(others[0] == bytes.fromhex(request["root"]), "root")
    ark, ask, leaf = [x509.load_der_x509_certificate(one) for one in others[:3]]
    product = request["product"]
    names = [f"ARK-{product}", f"SEV-{product}", "SEV-VCEK"]
    for certificate, name in zip((ark, ask, leaf), names):
        need_pss(certificate)
        found = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        need([one.value for one in found] == [name], "role")
        begins = certificate.not_valid_before_utc.timestamp()
        need(begins <= request["now"] <= certificate.not_valid_after_utc.timestamp(), "time")
    for at, authority in enumerate((ark, ask)):
        need(isinstance(authority.public_key(), rsa.RSAPublicKey) and authority.public_key().key_size == 4096, "RSA")
        constraints = extension(authority, x509.BasicConstraints)
        need(constraints.ca and constraints.path_length in (None, 0, 1)[: 3 - at], "CA")
        need(extension(authority, x509.KeyUsage).key_cert_sign, "usage")
    ask.verify_directly_issued_by(ark)
    leaf.verify_directly_issued_by(ask)
    if len(others) == 4:
        check_crl(others[3], ark, ask, request["now"])
    need(amd_extension(leaf, "2").decode().split("-")[0] == product, "product")
    for at, end in enumerate(LAYOUTS[product]):
        level = 0 if end is None else int.from_bytes(amd_extension(leaf, end), "big")
        need(report[0x180 + at] == level, "patch level")
    need(report[0x1A0:0x1E0] == amd_extension(leaf, "4").ljust(64, b"\0"), "chip")
    if version > 2:
        family, model = report[0x188], report[0x189]
        need((family, model >> 4) in {"Milan": [(0x19, 0)], "Genoa": [(0x19, 1), (0x19, 10)], "Turin": [(0x1A, 0), (0x1A, 1)]}[product], "CPU")
    r, s = [int.from_bytes(report[start : start + 72], "little") for start in (0x2A0, 0x2E8)]
    need(leaf.public_key().curve.name == "secp384r1", "curve")
    leaf.public_key().verify(encode_dss_signature(r, s), report[:0x2A0], ec.ECDSA(hashes.SHA384()))


for line in sys.stdin:
    try:
        request = json.loads(line)
        (judge_snp if request["kind"] == "snp" else judge_nitro)(request)
        verdict = {"ok": True}
    except BaseException as error:  # a panic of a Rust library is none of Exception
        verdict = {"ok": False, "error": f"{type(error).__name__}: {error}"[:300]}
    print(json.dumps(verdict), flush=True)
