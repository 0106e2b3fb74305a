"""An independent checker of docs/spec.md, written from that page alone.

    check.py vectors [folder]                          checks every vector file, prints `N vectors agree`
    check.py bundle <bundle.json> --network <file>     checks a saved proof bundle, without any server or chain

It shares no code with the network: its own abi.encode, EIP-712, Merkle-sum trees and canonical JSON, on a Keccak and a
secp256k1 library. Exit code 0: everything agrees; 1: something does not; 2: usage.
"""

import argparse
import base64
import json
import re
import sys
from pathlib import Path

from Crypto.Hash import keccak as keccak_library
from ecdsa import SECP256k1, VerifyingKey
from ecdsa.ellipticcurve import Point
from ecdsa.errors import MalformedPointError


class Disagreement(Exception):
    """What was computed is not what is stated, or what must be rejected was not."""


def expect(what, computed, stated):
    if computed != stated:
        raise Disagreement(f"{what}: computed {computed!r}, stated {stated!r}")


def require(what, holds):
    if not holds:
        raise Disagreement(what)


# --- Conventions -------------------------------------------------------------------------------------------------


def keccak256(data):
    return keccak_library.new(digest_bits=256, data=data).digest()


def tag(name):
    return keccak256(name.encode("utf-8"))


def from_hex(text, size=None):
    require(f"{text!r} must be lower-case 0x hex", re.fullmatch(r"0x([0-9a-f]{2})*", text) is not None)
    data = bytes.fromhex(text[2:])
    require(f"{text!r} must have {size} bytes", size is None or len(data) == size)
    return data


def to_hex(data):
    return "0x" + data.hex()


def uint(value, bits):
    require(f"{value} must fit uint{bits}", 0 <= value < 1 << bits)
    return value


# --- abi.encode --------------------------------------------------------------------------------------------------


def encode_word(kind, value):
    if kind == "bool":
        return int(bool(value)).to_bytes(32, "big")
    if kind.startswith("uint"):
        return uint(int(value), int(kind[4:])).to_bytes(32, "big")
    if kind == "address":
        return from_hex(value, 20).rjust(32, b"\0") if isinstance(value, str) else value.rjust(32, b"\0")
    if kind == "bytes32":
        data = from_hex(value) if isinstance(value, str) else value
        require("bytes32 has 32 bytes", len(data) == 32)
        return data
    raise ValueError(kind)


def encode_dynamic(kind, value):
    if kind.endswith("[]"):
        return len(value).to_bytes(32, "big") + abi_encode([kind[:-2]] * len(value), value)
    data = value.encode("utf-8") if kind == "string" else value
    return len(data).to_bytes(32, "big") + data + b"\0" * (-len(data) % 32)


def abi_encode(kinds, values):
    head, tail = [], b""
    for kind, value in zip(kinds, values, strict=True):
        if kind in ("string", "bytes") or kind.endswith("[]"):
            head.append((32 * len(kinds) + len(tail)).to_bytes(32, "big"))
            tail += encode_dynamic(kind, value)
        else:
            head.append(encode_word(kind, value))
    return b"".join(head) + tail


def tagged(name, kinds, values):
    return keccak256(abi_encode(["bytes32", *kinds.split()], [tag(name), *values]))


# --- Signatures --------------------------------------------------------------------------------------------------

ORDER = SECP256k1.order
PRIME = SECP256k1.curve.p()


def recover(digest, signature):
    """Address of the signer; a Disagreement for every form but r ‖ s ‖ v, v in {27, 28}, s ≤ n/2."""
    require("a signature has 65 bytes", len(signature) == 65)
    r, s, v = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big"), signature[64]
    require("v is 27 or 28", v in (27, 28))
    require("r and s lie in their range, s low", 0 < r < ORDER and 0 < s <= ORDER // 2)
    alpha = (pow(r, 3, PRIME) + 7) % PRIME
    y = pow(alpha, (PRIME + 1) // 4, PRIME)
    require("r is the x of a point", y * y % PRIME == alpha)
    if y % 2 != v - 27:
        y = PRIME - y
    inverse = pow(r, -1, ORDER)
    point = Point(SECP256k1.curve, r, y, ORDER) * (s * inverse % ORDER) + SECP256k1.generator * (
        -int.from_bytes(digest, "big") * inverse % ORDER
    )
    try:
        public = VerifyingKey.from_public_point(point, SECP256k1).to_string()
    except MalformedPointError as error:
        raise Disagreement("no key recovers") from error
    return keccak256(public)[12:]


# --- §8 canonical JSON -------------------------------------------------------------------------------------------

SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def canonical_string(text):
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Disagreement("a lone surrogate") from error
    return '"' + "".join(SHORT.get(c) or (f"\\u{ord(c):04x}" if c < " " else c) for c in text) + '"'


def canonical(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        require("an integer beyond 2^53-1", abs(value) <= 2**53 - 1)
        return str(value)
    if isinstance(value, str):
        return canonical_string(value)
    if isinstance(value, list):
        return "[" + ",".join(canonical(entry) for entry in value) + "]"
    require(f"canonical JSON holds no {type(value).__name__}", isinstance(value, dict))
    members = sorted(value.items(), key=lambda item: item[0].encode("utf-16-be", "surrogatepass"))
    return "{" + ",".join(f"{canonical_string(name)}:{canonical(entry)}" for name, entry in members) + "}"


def integer_of(text):
    value = float(text)
    return int(value) if value.is_integer() else value


def parse_canonical(text):
    try:
        value = json.loads(text, parse_float=integer_of)
    except ValueError as error:
        raise Disagreement(f"not JSON: {error}") from error
    require("not in canonical form", canonical(value) == text)
    return value


def decimal(text, bits):
    require(f"{text!r} must be a decimal string", isinstance(text, str) and re.fullmatch("0|[1-9][0-9]*", text))
    return uint(int(text), bits)


def unbase64(text, url=False):
    alphabet = r"[A-Za-z0-9_-]*" if url else r"[A-Za-z0-9+/]*={0,2}"
    require("not base64", re.fullmatch(alphabet, text) is not None)
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_" if url else None, validate=True)
    except ValueError as error:
        raise Disagreement("not base64") from error
    again = base64.urlsafe_b64encode(data).rstrip(b"=") if url else base64.b64encode(data)
    require("base64 has one form", again.decode() == text)
    return data


def exactly(value, names, optional=()):
    require(f"members {sorted(value)} must be {sorted(names)}", set(names) <= set(value) <= set(names) | set(optional))
    return value


# --- §1 to §3 ----------------------------------------------------------------------------------------------------


def listed_headers(head):
    values = {}
    for name, value in head:
        if name.lower().startswith(("anthropic-", "x-assay-")):
            values.setdefault(name.lower(), []).append(value.strip(" \t"))
    return sorted((f"{name}:{', '.join(parts)}" for name, parts in values.items()), key=lambda line: line.encode())


def request_hash(method, path, headers, body):
    kinds = "string string string[] bytes32"
    return tagged("assay/request/v1", kinds, [method, path, headers, keccak256(body)])


def strip_comments(stream):
    return b"".join(line for line in re.findall(rb"[^\n]*\n|[^\n]+", stream) if not line.startswith(b":"))


def response_hash(status, content_type, body):
    kinds = "uint16 string bytes32"
    return tagged("assay/response/v1", kinds, [status, content_type, keccak256(body)])


def request_id(chain_id, escrow, payer, scheme, payment_nonce):
    kinds = "uint256 address address uint8 bytes32"
    return tagged("assay/request-id/v1", kinds, [chain_id, escrow, payer, scheme, payment_nonce])


def payment_nonce(scheme, source):
    if scheme == 1:
        return from_hex(source["authorizationNonce"], 32)
    if scheme == 2:
        return decimal(source["permitNonce"], 256).to_bytes(32, "big")
    return keccak256(abi_encode(["bytes32", "uint256"], [source["grantId"], decimal(source["counter"], 256)]))


# --- §4 typed data -----------------------------------------------------------------------------------------------

DOMAIN = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
TYPES = {
    "Receipt": "Receipt(uint8 version,bytes32 requestId,address payer,address node,address key,uint64 seq,"
    "address committer,uint64 includeBy,bytes32 modelId,uint64 priceVersion,uint8 engineClass,uint8 mode,uint8 status,"
    "bytes32 requestHash,bytes32 responseHash,bytes32 evidenceHash,uint64 inputUnits,uint64 outputUnits,uint128 price,"
    "uint128 valueAtRisk,uint64 anchorBlock,bytes32 anchorHash,uint64 issuedAt)",
    "RequestAuth": "RequestAuth(bytes32 requestId,bytes32 requestHash,bytes32 modelId,uint128 maxPrice,"
    "address committer,uint64 deadline)",
    "Attestation": "Attestation(bytes32 batchId,bytes32 root,uint64 registryBlock,bool dataAvailable,uint8 verdict)",
    "KeyVote": "KeyVote(bytes32 registrationId,bool valid)",
    "ApiKey": "ApiKey(bytes32 grantId,bytes32 keyHash,bool allowed)",
    "ProviderKey": "ProviderKey(address enclave,string provider,string name,string secret,uint64 sequence)",
}

GRANT = (
    "SpendingGrant(address payer,address gateway,uint128 maxTotal,uint128 maxPerCall,uint128 ratePerHour,"
    "bytes32[] models,address[] nodes,uint64 expiry,uint256 nonce)"
)
GRANT_FIELDS = ("payer", "gateway", "maxTotal", "maxPerCall", "ratePerHour", "models", "nodes", "expiry", "nonce")


def fields_of(name):
    inside = TYPES[name][len(name) + 1 : -1]
    return [tuple(field.split(" ")) for field in inside.split(",")]


def read_message(name, message):
    """Values of a message in field order, in the JSON forms of §8."""
    fields = fields_of(name)
    exactly(message, [field for _, field in fields])
    values = []
    for kind, field in fields:
        value = message[field]
        if kind in ("uint8", "uint16"):
            require(f"{field} must be an integer", type(value) is int)
            uint(value, int(kind[4:]))
        elif kind.startswith("uint"):
            value = decimal(value, int(kind[4:]))
        elif kind == "bool":
            require(f"{field} must be a boolean", type(value) is bool)
        elif kind == "string":
            require(f"{field} must be a string", type(value) is str)
            # EIP-712: a string is signed by its hash.
            value = "0x" + tag(value).hex()
        else:
            value = from_hex(value, 20 if kind == "address" else 32)
        values.append(value)
    return ["bytes32" if kind == "string" else kind for kind, _ in fields], values


def struct_hash(name, message):
    kinds, values = read_message(name, message)
    return keccak256(abi_encode(["bytes32", *kinds], [tag(TYPES[name]), *values]))


def digest_of(name, message, deployment):
    return typed_digest(struct_hash(name, message), deployment)


def grant_id(grant, deployment):
    exactly(grant, GRANT_FIELDS)
    require("at most 32 models and nodes", len(grant["models"]) <= 32 and len(grant["nodes"]) <= 32)
    models = keccak256(b"".join(from_hex(model, 32) for model in grant["models"]))
    # EIP-712: every element of an array is padded to 32 bytes.
    nodes = keccak256(b"".join(from_hex(node, 20).rjust(32, b"\0") for node in grant["nodes"]))
    amounts = [decimal(grant[name], 128) for name in ("maxTotal", "maxPerCall", "ratePerHour")]
    values = [tag(GRANT), grant["payer"], grant["gateway"], *amounts, models, nodes]
    values += [decimal(grant["expiry"], 64), decimal(grant["nonce"], 256)]
    kinds = "bytes32 address address uint128 uint128 uint128 bytes32 bytes32 uint64 uint256".split(" ")
    return typed_digest(keccak256(abi_encode(kinds, values)), deployment)


def typed_digest(hashed, deployment):
    separator = keccak256(
        abi_encode(
            ["bytes32", "bytes32", "bytes32", "uint256", "address", "bytes32"],
            [tag(DOMAIN), tag("Assay"), tag("1"), int(deployment["chainId"]), deployment["settlement"], deployment["deploymentId"]],
        )
    )
    return keccak256(b"\x19\x01" + separator + hashed)


# --- §5 and §6 ---------------------------------------------------------------------------------------------------


NO_GRANT = "0x" + "00" * 32


def leaf_of(receipt, signature, counter=0):
    price = decimal(receipt["price"], 128)
    exposure = max(price, decimal(receipt["valueAtRisk"], 128))
    kinds = "bytes32 bytes32 uint64"
    values = [struct_hash("Receipt", receipt), keccak256(from_hex(signature, 65)), counter]
    return keccak256(tagged("assay/leaf/v1", kinds, values)), price, exposure, 1


def leaf_of_entry(entry):
    return leaf_of(entry["receipt"], entry["signature"], decimal(entry["counter"], 64))


def parent_of(left, right):
    kinds = "bytes32 uint128 uint128 uint64 bytes32 uint128 uint128 uint64"
    totals = [uint(left[at] + right[at], bits) for at, bits in ((1, 128), (2, 128), (3, 64))]
    return (tagged("assay/node/v1", kinds, [*left, *right]), *totals)


def top_of(nodes):
    require("a tree has at least one node", len(nodes) > 0)
    while len(nodes) > 1:
        paired = [parent_of(nodes[at], nodes[at + 1]) for at in range(0, len(nodes) - 1, 2)]
        nodes = paired + (nodes[-1:] if len(nodes) % 2 else [])
    return nodes[0]


def row_of(row, top):
    kinds = "address address bytes32 bytes32 uint64 bytes32 uint128 uint128 uint64"
    version = decimal(row["priceVersion"], 64)
    values = [row["node"], row["payer"], row["grantId"], row["modelId"], version, *top]
    return (tagged("assay/row/v1", kinds, values), *top[1:])


def group_of(node, top):
    kinds = "address bytes32 uint128 uint128 uint64"
    return (tagged("assay/group/v1", kinds, [node, *top]), *top[1:])


ROW_MEMBERS = ("node", "payer", "grantId", "modelId", "priceVersion")


def rows_of(entries):
    """Rows in order: each the five members that its receipts share, and the receipts in leaf order."""
    rows = {}
    for entry in entries:
        receipt = entry["receipt"]
        shared = {name: receipt[name] for name in ROW_MEMBERS if name != "grantId"} | {"grantId": entry["grantId"]}
        version = decimal(shared["priceVersion"], 64).to_bytes(8, "big")
        order = b"".join(from_hex(shared[name]) for name in ROW_MEMBERS[:-1]) + version
        held = {name: entry[name] for name in ("counter", "receipt", "signature", "zk") if name in entry}
        rows.setdefault(order, (shared, []))[1].append(held)
    for _, held in rows.values():
        held.sort(key=lambda e: (from_hex(e["receipt"]["requestId"]), leaf_of_entry(e)[0]))
    return [rows[order] for order in sorted(rows)]


def groups_of(rows):
    """Top of the rows of each node, in order."""
    groups = {}
    for shared, held in rows:
        leaves = [leaf_of_entry(entry) for entry in held]
        require("a receipt stands twice", len(set(leaves)) == len(leaves))
        groups.setdefault(shared["node"], []).append(row_of(shared, top_of(leaves)))
    require("at most 32 nodes", len(groups) <= 32)
    return [(node, top_of(tops)) for node, tops in groups.items()]


CHUNK_BYTES = 8192


def data_hash(file):
    chunks = [file[at : at + CHUNK_BYTES] for at in range(0, len(file), CHUNK_BYTES)]
    level = [tagged("assay/data-chunk/v1", "uint64 bytes32", [at, keccak256(chunk)]) for at, chunk in enumerate(chunks)]
    while len(level) > 1:
        paired = [tagged("assay/data-node/v1", "bytes32 bytes32", level[at : at + 2]) for at in range(0, len(level) - 1, 2)]
        level = paired + (level[-1:] if len(level) % 2 else [])
    return tagged("assay/data/v1", "uint64 bytes32", [len(file), level[0]])


def batch_id(committer, height, root, hash_of_file):
    return tagged("assay/batch/v1", "address uint64 bytes32 bytes32", [committer, height, root, hash_of_file])


def batch_file(deployment, committer, height, rows, root):
    return canonical(
        {
            "format": "assay-batch/1",
            "chainId": deployment["chainId"],
            "settlement": deployment["settlement"],
            "deploymentId": deployment["deploymentId"],
            "committer": committer,
            "height": str(height),
            "root": to_hex(root[0]),
            "sum": str(root[1]),
            "exposure": str(root[2]),
            "count": str(root[3]),
            "rows": [{**shared, "receipts": held} for shared, held in rows],
        }
    ).encode("utf-8")


def fold(node, siblings):
    require("at most 32 siblings", len(siblings) <= 32)
    for sibling in siblings:
        exactly(sibling, ["hash", "sum", "exposure", "count", "left"])
        other = node_of(sibling)
        require("left must be a boolean", type(sibling["left"]) is bool)
        node = parent_of(other, node) if sibling["left"] else parent_of(node, other)
    return node


def node_of(value):
    return from_hex(value["hash"], 32), *totals_of(value)


def totals_of(value):
    return decimal(value["sum"], 128), decimal(value["exposure"], 128), decimal(value["count"], 64)


INCLUSION = "batchId committer height root sum exposure count dataHash leafSiblings rowSiblings groupSiblings".split()


def check_inclusion(receipt, signature, proof, grant=None):
    exactly(proof, INCLUSION)
    grant = grant or {"id": NO_GRANT, "counter": "0"}
    leaf = leaf_of(receipt, signature, decimal(grant["counter"], 64))
    row = row_of({**receipt, "grantId": grant["id"]}, fold(leaf, proof["leafSiblings"]))
    top = fold(group_of(receipt["node"], fold(row, proof["rowSiblings"])), proof["groupSiblings"])
    stated = (from_hex(proof["root"], 32), *totals_of(proof))
    expect("root, sum, exposure and count of the batch", top, stated)
    height = decimal(proof["height"], 64)
    expect("batch id", to_hex(batch_id(proof["committer"], height, stated[0], proof["dataHash"])), proof["batchId"])
    require("a batch holds 1 to 4,096 receipts", 1 <= stated[3] <= 4096)


# --- §7 enclave keys ---------------------------------------------------------------------------------------------


def registration_id(one):
    kinds = "uint256 address address address bytes32 bytes32 bytes32 uint8 bytes32"
    names = "teeRegistry node key hardwareType rootHash measurement engineClasses evidenceHash".split()
    return tagged("assay/registration/v1", kinds, [int(one["chainId"]), *(one[name] for name in names)])


def enclave_binding(deployment, node, key, bound):
    kinds = "uint256 bytes32 address address bytes32 bytes32 uint64 bytes32"
    values = [int(deployment["chainId"]), deployment["deploymentId"], node, key, bound["tlsKeyHash"], bound["hpkeKeyHash"]]
    values += [int(bound["anchorBlock"]), bound["anchorHash"]]
    return tagged("assay/enclave-binding/v2", kinds, values)


# --- Vectors -----------------------------------------------------------------------------------------------------


def must_reject(what, action):
    try:
        action()
    except Disagreement:
        return
    raise Disagreement(f"{what} must be rejected")


def check_tag(v):
    expect("tag", to_hex(tag(v["name"])), v["tag"])


def check_request_hash(v):
    listed = listed_headers(v["headers"])
    expect("listed headers", listed, v["listedHeaders"])
    expect("request hash", to_hex(request_hash(v["method"], v["path"], listed, unbase64(v["body"]))), v["requestHash"])


def check_response_hash(v):
    body = unbase64(v["body"])
    if v["contentType"] == "text/event-stream":
        body = strip_comments(body)
    expect("hashed body", body, unbase64(v["hashedBody"]))
    expect("response hash", to_hex(response_hash(v["status"], v["contentType"], body)), v["responseHash"])


def check_request_id(v):
    nonce = payment_nonce(v["scheme"], v["source"])
    expect("payment nonce", to_hex(nonce), v["paymentNonce"])
    computed = request_id(int(v["chainId"]), v["escrow"], v["payer"], v["scheme"], nonce)
    expect("request id", to_hex(computed), v["requestId"])


def check_deployment(v):
    computed = tagged("assay/deployment/v1", "uint256 address bytes32", [int(v["chainId"]), v["deployer"], v["entropy"]])
    expect("deployment id", to_hex(computed), v["deploymentId"])


def check_receipt(v):
    expect("struct hash", to_hex(struct_hash("Receipt", v["receipt"])), v["structHash"])
    digest = digest_of("Receipt", v["receipt"], v["deployment"])
    expect("digest", to_hex(digest), v["digest"])
    expect("signer", to_hex(recover(digest, from_hex(v["signature"]))), v["signer"])
    expect("leaf", to_hex(leaf_of(v["receipt"], v["signature"])[0]), v["leaf"])
    carried = parse_canonical(unbase64(v["header"], url=True).decode("utf-8"))
    expect("header", carried, {"receipt": v["receipt"], "signature": v["signature"]})


def check_statement(v):
    digest = digest_of(v["type"], v["message"], v["deployment"])
    expect("digest", to_hex(digest), v["digest"])
    expect("signer", to_hex(recover(digest, from_hex(v["signature"]))), v["signer"])
    if "header" in v:
        carried = parse_canonical(unbase64(v["header"], url=True).decode("utf-8"))
        expect("header", carried, {"auth": v["message"], "signature": v["signature"]})


def check_grant(v):
    identity = grant_id(v["grant"], v["deployment"])
    expect("grant id", to_hex(identity), v["grantId"])
    key = v["apiKey"]
    require("not an API key", re.fullmatch("assay_[A-Za-z0-9_-]{43}", key) is not None)
    expect("key hash", to_hex(keccak256(key.encode())), v["keyHash"])
    carried = exactly(parse_canonical(unbase64(v["header"], url=True).decode("utf-8")), ["auth", "counter", "grant"])
    expect("grant in the header", carried["grant"], v["grant"])
    auth = exactly(carried["auth"], ["auth", "signature"])
    nonce = payment_nonce(3, {"grantId": to_hex(identity), "counter": carried["counter"]})
    chain = int(v["deployment"]["chainId"])
    expect("request id", to_hex(request_id(chain, v["escrow"], v["grant"]["payer"], 3, nonce)), auth["auth"]["requestId"])
    signer = recover(digest_of("RequestAuth", auth["auth"], v["deployment"]), from_hex(auth["signature"]))
    expect("signer of the call", to_hex(signer), v["grant"]["gateway"])


def check_rejected_signature(v):
    must_reject(v["name"], lambda: recover(from_hex(v["digest"]), from_hex(v["signature"])))


def check_parent(v):
    left, right = node_of(v["left"]), node_of(v["right"])
    if v.get("invalid"):
        must_reject("an overflow", lambda: parent_of(left, right))
    else:
        expect("parent", parent_of(left, right), node_of(v["parent"]))


def check_row(v):
    expect("row", row_of(v, node_of(v["top"])), node_of(v["row"]))


def check_group(v):
    expect("group", group_of(v["node"], node_of(v["top"])), node_of(v["group"]))


def check_file(v):
    expect("data hash", to_hex(data_hash(v["length"] * bytes([v["byte"]]))), v["dataHash"])


def check_tree(v):
    expect("top", top_of([node_of(node) for node in v["nodes"]]), node_of(v["top"]))


def check_batch(v):
    rows = rows_of(v["receipts"])
    groups = groups_of(rows)
    expect("groups", groups, [(group["node"], node_of(group["top"])) for group in v["groups"]])
    root = top_of([group_of(node, top) for node, top in groups])
    expect("root, sum, exposure, count", root, (from_hex(v["root"]), *totals_of(v)))
    file = batch_file(v["deployment"], v["committer"], decimal(v["height"], 64), rows, root)
    expect("batch file", file.decode("utf-8"), v["file"])
    parse_canonical(v["file"])
    expect("data hash", to_hex(data_hash(file)), v["dataHash"])
    computed = batch_id(v["committer"], decimal(v["height"], 64), root[0], data_hash(file))
    expect("batch id", to_hex(computed), v["batchId"])
    for entry, proof in zip(v["receipts"], v["inclusions"], strict=True):
        check_inclusion(entry["receipt"], entry["signature"], proof, {"id": entry["grantId"], "counter": entry["counter"]})


def check_fault(v):
    kinds, proof = ["address", "uint8", "bytes32", "bytes32"], keccak256(from_hex(v["proof"]))
    computed = keccak256(abi_encode(kinds, [v["prover"], v["class"], proof, v["salt"]]))
    expect("commitment", to_hex(computed), v["commitment"])
    computed = tagged("assay/fault/v1", "uint8 bytes32", [v["class"], v["faultKey"]])
    expect("fault id", to_hex(computed), v["faultId"])


def check_registration(v):
    expect("registration id", to_hex(registration_id(v)), v["registrationId"])


def check_binding(v):
    computed = enclave_binding(v["deployment"], v["node"], v["key"], v)
    expect("user data", to_hex(computed), v["userData"])


def check_measurement(v):
    registers = [from_hex(v[name], 48) for name in ("pcr0", "pcr1", "pcr2")]
    expect("measurement", to_hex(tagged("assay/measurement/nitro/v1", "bytes bytes bytes", registers)), v["measurement"])


def check_snp_measurement(v):
    fields = [from_hex(v["launchDigest"], 48), from_hex(v["hostData"], 32)]
    expect("measurement", to_hex(tagged("assay/measurement/snp/v1", "bytes bytes", fields)), v["measurement"])


def check_tdx_measurement(v):
    fields = [from_hex(value, 48) for value in [v["mrTd"], v["mrConfigId"], *v["rtmrs"]]]
    expected = tagged("assay/measurement/tdx/v1", "bytes bytes bytes bytes bytes bytes", fields)
    expect("measurement", to_hex(expected), v["measurement"])


def check_sgx_measurement(v):
    fields = [from_hex(v["mrEnclave"], 32), from_hex(v["configId"], 64)]
    expect("measurement", to_hex(tagged("assay/measurement/sgx/v1", "bytes bytes", fields)), v["measurement"])


def check_gpu_nonce(v):
    nonce = tagged("assay/gpu-nonce/v1", "bytes32", [from_hex(v["userData"], 32)])
    expect("GPU nonce", to_hex(nonce), v["nonce"])


def check_root(v):
    expect("root hash", to_hex(keccak256(unbase64(v["der"]))), v["rootHash"])


def check_evidence(v):
    expect("evidence bytes", canonical(v["evidence"]), v["bytes"])
    expect("evidence hash", to_hex(keccak256(v["bytes"].encode("utf-8"))), v["evidenceHash"])


def check_canonical(v):
    expect("canonical form", canonical(json.loads(v["input"], parse_float=integer_of)), v["output"])
    parse_canonical(v["output"])


def check_rejected(v):
    must_reject(v["name"], lambda: parse_canonical(v["input"]))


def model_id(manifest):
    return to_hex(keccak256(canonical(manifest).encode("utf-8")))


def check_manifest(v):
    expect("canonical manifest", canonical(v["manifest"]), v["canonical"])
    expect("model id", model_id(v["manifest"]), v["modelId"])


def check_price(v):
    row = {name: decimal(value, 128) for name, value in v["row"].items()}
    units = decimal(v["inputUnits"], 64), decimal(v["outputUnits"], 64)
    free = v["status"] == 2 or units[1] == 0
    price = 0 if free else row["perCall"] + units[0] * row["inputPrice"] + units[1] * row["outputPrice"]
    expect("price", str(price), v["price"])


def check_quote(v):
    row = {name: decimal(value, 128) for name, value in v["row"].items()}
    maximum = row["perCall"] + row["inputPrice"] * (v["bodyBytes"] + 64) + row["outputPrice"] * v["maxOutput"]
    expect("quote", str(maximum), v["maximum"])


def check_bundle_vector(v):
    check_bundle(v["bundle"], v["deployment"])


CHECKS = {
    "tags": check_tag,
    "requestHashes": check_request_hash,
    "responseHashes": check_response_hash,
    "requestIds": check_request_id,
    "deployments": check_deployment,
    "receipts": check_receipt,
    "statements": check_statement,
    "grants": check_grant,
    "rejectedSignatures": check_rejected_signature,
    "parents": check_parent,
    "rows": check_row,
    "groups": check_group,
    "files": check_file,
    "trees": check_tree,
    "batches": check_batch,
    "faults": check_fault,
    "registrations": check_registration,
    "bindings": check_binding,
    "measurements": check_measurement,
    "snpMeasurements": check_snp_measurement,
    "tdxMeasurements": check_tdx_measurement,
    "sgxMeasurements": check_sgx_measurement,
    "gpuNonces": check_gpu_nonce,
    "roots": check_root,
    "evidence": check_evidence,
    "canonical": check_canonical,
    "rejected": check_rejected,
    "manifests": check_manifest,
    "bundles": check_bundle_vector,
    "prices": check_price,
    "quotes": check_quote,
}


def check_vectors(folder):
    agreed, wrong, seen = 0, [], set()
    for path in sorted(Path(folder).glob("*.json")):
        for kind, entries in json.loads(path.read_text("utf-8")).items():
            seen.add(kind)
            for at, entry in enumerate(entries):
                try:
                    CHECKS[kind](entry)
                    agreed += 1
                except (Disagreement, KeyError, TypeError, ValueError) as error:
                    wrong.append(f"{path.name} {kind}[{at}]: {type(error).__name__}: {error}")
    wrong += [f"no vectors of kind {kind}" for kind in sorted(set(CHECKS) - seen)]
    for line in wrong:
        print(line)
    print(f"{agreed} vectors agree" + (f", {len(wrong)} do not" if wrong else ""))
    return 1 if wrong else 0


# --- A bundle ----------------------------------------------------------------------------------------------------


def check_bundle(text, deployment):
    """Every step that needs no chain. Gives the names of the steps that were made; raises a Disagreement."""
    bundle = parse_canonical(text)
    names = ["format", "receipt", "signature", "request", "response"]
    exactly(bundle, names, ["grant", "requestAuth", "inclusion", "evidence", "model", "proof"])
    expect("format", bundle["format"], "assay-bundle/1")
    receipt, request, response = bundle["receipt"], bundle["request"], bundle["response"]
    exactly(request, ["method", "path", "headers", "body"])
    exactly(response, ["status", "contentType", "body"])
    steps = ["canonical form"]

    head = [line.split(":", 1) for line in request["headers"]]
    expect("listed headers", listed_headers(head), request["headers"])
    computed = request_hash(request["method"], request["path"], request["headers"], unbase64(request["body"]))
    expect("request hash", to_hex(computed), receipt["requestHash"])
    steps.append("request hash")

    body = unbase64(response["body"])
    if response["contentType"].split(";")[0].strip().lower() == "text/event-stream":
        body = strip_comments(body)
    computed = response_hash(response["status"], response["contentType"], body)
    expect("response hash", to_hex(computed), receipt["responseHash"])
    steps.append("response hash")

    expect("version", receipt["version"], 1)
    free = receipt["status"] == 2 or decimal(receipt["outputUnits"], 64) == 0
    require("an answer that failed or is empty costs nothing", not free or receipt["price"] == "0")
    if receipt["mode"] in (0, 1):
        expect("evidence hash of a bonded or tee receipt", receipt["evidenceHash"], "0x" + "00" * 32)
    steps.append("receipt rules")

    digest = digest_of("Receipt", receipt, deployment)
    expect("signer of the receipt", to_hex(recover(digest, from_hex(bundle["signature"], 65))), receipt["key"])
    steps.append("signature")

    if "requestAuth" in bundle:
        auth = exactly(bundle["requestAuth"], ["auth", "signature"])
        digest = digest_of("RequestAuth", auth["auth"], deployment)
        expect("signer of the request", to_hex(recover(digest, from_hex(auth["signature"], 65))), receipt["payer"])
        for name in ("requestId", "requestHash", "modelId", "committer"):
            expect(f"{name} the payer signed", auth["auth"][name], receipt[name])
        require("the price is within what the payer signed", int(receipt["price"]) <= int(auth["auth"]["maxPrice"]))
        steps.append("request authorisation")
    if "inclusion" in bundle:
        check_inclusion(receipt, bundle["signature"], bundle["inclusion"], bundle.get("grant"))
        steps.append("leaf, inclusion and batch id")
        # Another committer may have forced the receipt in, which only the time of the commit on chain can excuse.
        if bundle["inclusion"]["committer"] == receipt["committer"]:
            steps.append("committed by the gateway that the receipt names")
    if "evidence" in bundle:
        names = ["kind", "document", "tlsKeyHash", "hpkeKeyHash", "anchorBlock", "anchorHash"]
        evidence = exactly(bundle["evidence"], names)
        binding = enclave_binding(deployment, receipt["node"], receipt["key"], evidence)
        # The document's own signature and chain are X.509 and COSE, and no part of this page.
        require("the document names this key of this node", binding in unbase64(evidence["document"]))
        steps.append("evidence names the key")
    if "model" in bundle:
        expect("model id", model_id(bundle["model"]), receipt["modelId"])
        steps.append("model id")
    return steps


def bundle_command(path, network_path):
    network = json.loads(Path(network_path).read_text("utf-8"))
    deployment = {
        "chainId": str(network["chainId"]),
        "settlement": network["contracts"]["Settlement"].lower(),
        "deploymentId": network["deploymentId"],
    }
    try:
        for step in check_bundle(Path(path).read_bytes().decode("utf-8"), deployment):
            print(f"agrees: {step}")
    except (Disagreement, KeyError, TypeError, ValueError) as error:
        print(f"does not agree: {error}")
        return 1
    print("not checked here, since it needs a chain: key registration, price row, anchor block, commit time, finality")
    print("bundle agrees")
    return 0


def main():
    parser = argparse.ArgumentParser(description="Checks vectors and bundles against docs/spec.md.")
    commands = parser.add_subparsers(dest="command", required=True)
    vectors = commands.add_parser("vectors")
    default = Path(__file__).resolve().parents[2] / "packages" / "protocol" / "vectors"
    vectors.add_argument("folder", nargs="?", default=default)
    bundle = commands.add_parser("bundle")
    bundle.add_argument("bundle")
    bundle.add_argument("--network", required=True)
    arguments = parser.parse_args()
    if arguments.command == "vectors":
        return check_vectors(arguments.folder)
    return bundle_command(arguments.bundle, arguments.network)


if __name__ == "__main__":
    sys.exit(main())
