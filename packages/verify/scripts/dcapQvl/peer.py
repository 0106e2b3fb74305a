"""Answers for dcap-qvl, an independent verifier: one JSON request a line in, one JSON verdict a line out."""

import json
import sys

import dcap_qvl


def judge(request):
    collateral = dcap_qvl.QuoteCollateralV3.from_json(json.dumps(request["collateral"]))
    quote = bytes.fromhex(request["quote"])
    root = bytes.fromhex(request["root"])
    report = dcap_qvl.verify_with_root_ca(quote, collateral, root, request["now"])
    return {"ok": True, "status": report.status, "advisoryIds": sorted(set(report.advisory_ids))}


for line in sys.stdin:
    try:
        verdict = judge(json.loads(line))
    except BaseException as error:  # a panic of its Rust is none of Exception
        verdict = {"ok": False, "error": f"{type(error).__name__}: {error}"[:300]}
    print(json.dumps(verdict), flush=True)
