"""Answers for dcap-qvl, an independent verifier: one JSON request a line in, one JSON verdict a line out."""

import json
import sys

import dcap_qvl

# The collateral among the parts, behind the quote, and whether dcap-qvl wants it in hex or as text.
MEMBERS = [
    ("root_ca_crl", "hex"),
    ("pck_crl", "hex"),
    ("tcb_info", "text"),
    ("tcb_info_signature", "hex"),
    ("qe_identity", "text"),
    ("qe_identity_signature", "hex"),
    ("pck_crl_issuer_chain", "text"),
    ("tcb_info_issuer_chain", "text"),
    ("qe_identity_issuer_chain", "text"),
]


def judge(request):
    quote, *parts = request["parts"]
    members = {
        name: part if form == "hex" else bytes.fromhex(part).decode("utf-8", "replace")
        for (name, form), part in zip(MEMBERS, parts, strict=True)
    }
    collateral = dcap_qvl.QuoteCollateralV3.from_json(json.dumps(members))
    root = bytes.fromhex(request["root"])
    report = dcap_qvl.verify_with_root_ca(bytes.fromhex(quote), collateral, root, request["now"])
    return {"ok": True, "status": report.status, "advisoryIds": sorted(set(report.advisory_ids))}


for line in sys.stdin:
    try:
        verdict = judge(json.loads(line))
    except BaseException as error:  # a panic of its Rust is none of Exception
        verdict = {"ok": False, "error": f"{type(error).__name__}: {error}"[:300]}
    print(json.dumps(verdict), flush=True)
