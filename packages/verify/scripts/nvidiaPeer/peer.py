"""
Answers for NVIDIA's own local GPU verifier (reports) and for PyJWT (tokens of its attestation service). One JSON request
a line in, one JSON verdict a line out. NVIDIA's verifier reads the machine's clock and pins the number of certificates.
"""

import hashlib
import json
import logging
import os
import sys
import tempfile

answers = sys.stdout
sys.stdout = sys.stderr  # the verifier logs to its standard output
scratch = tempfile.TemporaryDirectory()
os.chdir(scratch.name)  # and to a file in the folder it is started in

import jwt  # noqa: E402
from OpenSSL import crypto  # noqa: E402
from verifier.attestation import AttestationReport  # noqa: E402
from verifier.cc_admin_utils import CcAdminUtils  # noqa: E402
from verifier.config import HopperSettings  # noqa: E402

logging.disable(logging.CRITICAL)


def need(holds, what):
    if not holds:
        raise ValueError(what)


def judge_gpu(request):
    settings = HopperSettings()
    data, *chain = [bytes.fromhex(part) for part in request["parts"]]
    need(chain[0] == bytes.fromhex(request["root"]), "root")
    report = AttestationReport(data, settings)
    certificates = [crypto.load_certificate(crypto.FILETYPE_ASN1, one) for one in reversed(chain)]
    firmware = report.get_response_message().get_opaque_data().get_data("OPAQUE_FIELD_ID_FWID").hex()
    result = CcAdminUtils.verify_gpu_certificate_chain(certificates, settings, firmware)
    need(result is not False and result[0], "chain")
    leaf = certificates[0].to_cryptography()
    need(report.verify_signature(leaf, settings.signature_length, settings.HashFunction), "signature")


def claims(token, request):
    key = jwt.PyJWKSet.from_dict(request["jwks"])[jwt.get_unverified_header(token)["kid"]]
    options = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
    found = jwt.decode(token, key.key, algorithms=["ES384"], issuer=request["issuer"], options=options)
    need(found["exp"] > request["now"] and found["nbf"] <= request["now"] + 60, "time")
    return found


def judge_nras(request):
    overall, *devices = [bytes.fromhex(part).decode() for part in request["parts"]]
    found = claims(overall, request)
    need(len(found["submods"]) == len(devices), "submodules")
    for token, (kind, (algorithm, digest)) in zip(devices, found["submods"].values()):
        need(kind == "DIGEST" and algorithm == "SHA-256", "digest kind")
        need(hashlib.sha256(token.encode()).hexdigest() == digest, "digest")
        device = claims(token, request)
        need(device["eat_nonce"] == found["eat_nonce"], "nonce")
        need(device["measres"] == "success" and device["dbgstat"] == "disabled", "device")
    need(found["x-nvidia-overall-att-result"] is True, "overall result")


for line in sys.stdin:
    try:
        request = json.loads(line)
        (judge_gpu if request["kind"] == "gpu" else judge_nras)(request)
        verdict = {"ok": True}
    except BaseException as error:  # whatever hostile bytes make of it is a refusal
        verdict = {"ok": False, "error": f"{type(error).__name__}: {error}"[:300]}
    print(json.dumps(verdict), file=answers, flush=True)
