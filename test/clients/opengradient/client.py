"""The official OpenGradient SDK, as it comes from PyPI, against a network under the profile: prints one JSON line a call.

Arguments: a file of JSON with gatewayUrl, rpcUrl, registry, payerKey, model. BASE_MAINNET_RPC must name the development
chain, as for anybody who runs the SDK elsewhere than on Base.
"""

import asyncio
import base64
import json
import sys
import urllib.request

import opengradient as og
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from eth_hash.auto import keccak
from opengradient.client import tee_verify
from opengradient.client.tee_registry import TEERegistry

SETTINGS = json.load(open(sys.argv[1]))
MODEL = "assay/" + SETTINGS["model"]
MESSAGES = [{"role": "user", "content": "What is the capital of France? é 😀"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "maxLength": 12}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}


def tell(name, **facts):
    print(json.dumps({"name": name, **facts}), flush=True)


def get(path):
    with urllib.request.urlopen(SETTINGS["gatewayUrl"] + path) as answer:
        return json.load(answer)


def signed_by(pem, request_hash, output_hash, timestamp, signature):
    """RSA-PSS by `cryptography`; raises where it does not hold."""
    key = serialization.load_pem_public_key(pem.encode())
    message = keccak(bytes.fromhex(request_hash) + bytes.fromhex(output_hash) + timestamp.to_bytes(32, "big"))
    key.verify(
        base64.b64decode(signature),
        message,
        padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32),
        hashes.SHA256(),
    )


def keccak_hex(text):
    return keccak(text.encode("utf-8")).hex()


def check(answer, canonical, output, pem):
    """That the answer's signature is over what was asked and answered, recomputed here by other code than the server's."""
    request_hash = keccak_hex(json.dumps(canonical, sort_keys=True))
    signed_by(pem, request_hash, keccak_hex(output), answer.tee_timestamp, answer.tee_signature)


async def main():
    llm = og.LLM.from_url(SETTINGS["payerKey"], SETTINGS["gatewayUrl"])
    signing = get("/signing-key")
    pem = signing["public_key"]
    tell("signing-key", sound=signing["tee_id"] == tee_verify.tee_id_for_key(pem))

    asked = {"model": SETTINGS["model"], "messages": MESSAGES, "max_tokens": 12, "temperature": 0.0}
    whole = await llm.chat(MODEL, MESSAGES, max_tokens=12)
    check(whole, asked, whole.chat_output["content"], pem)
    tell("chat", content=whole.chat_output["content"], finish=whole.finish_reason, usage=whole.usage,
         hash=whole.data_settlement_transaction_hash)

    private = await llm.chat(MODEL, MESSAGES, max_tokens=12, x402_settlement_mode=og.x402SettlementMode.PRIVATE)
    check(private, asked, private.chat_output["content"], pem)
    tell("private", hash=private.data_settlement_transaction_hash)

    text, chunks, final = "", 0, None
    async for chunk in await llm.chat(MODEL, MESSAGES, max_tokens=12, stream=True):
        chunks += 1
        text += "".join(choice.delta.content or "" for choice in chunk.choices)
        final = chunk if chunk.is_final else final
    check(final, asked, text, pem)
    tell("stream", content=text, chunks=chunks, finish=final.choices[0].finish_reason,
         usage=final.usage.total_tokens)

    with_tools = {**asked, "max_tokens": 60, "tools": [WEATHER]}
    # "required" is passed on as it is: the small model of a development network would rather talk.
    called = await llm.chat(MODEL, MESSAGES, max_tokens=60, tools=[WEATHER], tool_choice="required")
    calls = called.chat_output.get("tool_calls")
    check(called, with_tools, json.dumps(calls, sort_keys=True), pem)
    tell("tools", name_called=calls[0]["function"]["name"], arguments=calls[0]["function"]["arguments"],
         finish=called.finish_reason)

    chunks = [chunk async for chunk in await llm.chat(MODEL, MESSAGES, max_tokens=60, tools=[WEATHER],
                                                      tool_choice="required", stream=True)]
    check(chunks[-1], with_tools, json.dumps(chunks[-1].choices[0].delta.tool_calls, sort_keys=True), pem)
    tell("tools-stream", chunks=len(chunks), finish=chunks[-1].choices[0].finish_reason)

    completed = await llm.completion(MODEL, "Once upon a time", max_tokens=8)
    check(completed, {"model": SETTINGS["model"], "prompt": "Once upon a time", "max_tokens": 8, "temperature": 0.0},
          completed.completion_output, pem)
    tell("completion", content=completed.completion_output)
    await llm.close()

    # The path that looks its enclave up on the chain and pins the certificate it finds there.
    tees = TEERegistry(SETTINGS["rpcUrl"], SETTINGS["registry"]).get_active_tees_by_type(0)
    tell("registry", count=len(tees), same=[tee.tee_id.removeprefix("0x") for tee in tees]
         == [signing["tee_id"].removeprefix("0x")], endpoint=tees[0].endpoint, ohttp=tees[0].ohttp_config)
    looked_up = og.LLM(SETTINGS["payerKey"], SETTINGS["rpcUrl"], SETTINGS["registry"])
    pinned = await looked_up.chat(MODEL, MESSAGES, max_tokens=12)
    check(pinned, asked, pinned.chat_output["content"], tee_verify.pem_from_der(tees[0].signing_public_key_der))
    tell("pinned", endpoint=pinned.tee_endpoint, tee=pinned.tee_id.removeprefix("0x"))
    await looked_up.close()


asyncio.run(main())
