"""
What Python's clients do on a running network, each as its own documentation shows it, and unmodified. The variables of
the vendors (OPENAI_BASE_URL, OPENAI_API_KEY, …) say where and with which key.

    python rows.py versions        versions of the installed clients, as JSON
    python rows.py <row>           runs one row; fails by an exception
"""

import json
import os
import sys

MODEL = os.environ.get("ASSAY_MODEL", "smollm2-135m-instruct")
QUESTION = "What is the capital of France?"
MESSAGES = [{"role": "user", "content": QUESTION}]
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 12}},
    "required": ["city"],
}


def openai_chat():
    from openai import OpenAI

    client = OpenAI(max_retries=0)
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=MESSAGES, max_tokens=12)
    assert "Paris" in raw.parse().choices[0].message.content
    if os.environ.get("ASSAY_WAY") == "proxy":
        assert raw.headers["x-assay-verified"] == "true", dict(raw.headers)


def openai_stream():
    from openai import OpenAI

    text, tokens = "", 0
    stream = OpenAI(max_retries=0).chat.completions.create(
        model=MODEL, messages=MESSAGES, max_tokens=12, stream=True, stream_options={"include_usage": True}
    )
    for chunk in stream:
        if chunk.choices:
            text += chunk.choices[0].delta.content or ""
        if chunk.usage:
            tokens = chunk.usage.completion_tokens
    assert "Paris" in text and tokens > 0, (text, tokens)


def openai_tools():
    from openai import OpenAI

    tool = {"type": "function", "function": {"name": "weather", "parameters": CITY}}
    answer = OpenAI(max_retries=0).chat.completions.create(
        model=MODEL, messages=MESSAGES, max_tokens=40, tools=[tool], tool_choice="required"
    )
    call = answer.choices[0].message.tool_calls[0]
    assert call.function.name == "weather" and "city" in json.loads(call.function.arguments)


def openai_parse():
    from typing import Literal

    from openai import OpenAI
    from pydantic import BaseModel

    class Answer(BaseModel):
        city: Literal["Paris", "Lyon"]

    completions = OpenAI(max_retries=0).chat.completions
    said = completions.parse(model=MODEL, messages=MESSAGES, max_tokens=30, response_format=Answer).choices[0].message
    assert said.parsed.city in ("Paris", "Lyon")
    completions.create(model=MODEL, messages=[*MESSAGES, said, {"role": "user", "content": "Sure?"}], max_tokens=8)


def openai_rest():
    import openai

    client = openai.OpenAI(max_retries=0)
    response = client.responses.create(model=MODEL, input=QUESTION, max_output_tokens=12)
    assert "Paris" in response.output_text
    assert len(client.embeddings.create(model=MODEL, input=["one", "two"]).data) == 2
    assert MODEL in [model.id for model in client.models.list()]
    try:
        client.chat.completions.create(model="gpt-9", messages=MESSAGES)
    except openai.NotFoundError as error:
        assert error.code in ("model_not_found", "unknown_model"), error.code
    else:
        raise AssertionError("a model that is not there was answered for")


def anthropic_messages():
    from anthropic import Anthropic

    client = Anthropic(max_retries=0)
    message = client.messages.create(model=MODEL, max_tokens=12, messages=MESSAGES)
    assert "Paris" in message.content[0].text
    with client.messages.stream(model=MODEL, max_tokens=12, messages=MESSAGES) as stream:
        assert "Paris" in stream.get_final_text()
    assert client.messages.count_tokens(model=MODEL, messages=MESSAGES).input_tokens > 0


def anthropic_tools():
    from anthropic import Anthropic

    message = Anthropic(max_retries=0).messages.create(
        model=MODEL,
        max_tokens=40,
        messages=MESSAGES,
        tools=[{"name": "weather", "input_schema": CITY}],
        tool_choice={"type": "any"},
    )
    assert message.stop_reason == "tool_use", message
    assert any(block.type == "tool_use" and block.name == "weather" for block in message.content)


def anthropic_runner():
    from typing import Literal

    from anthropic import Anthropic, beta_tool

    @beta_tool
    def weather(city: Literal["Paris", "Lyon"]) -> str:
        """The weather of a city."""
        return f"Sunny in {city}"

    runner = Anthropic(max_retries=0).beta.messages.tool_runner(
        model=MODEL,
        max_tokens=40,
        max_iterations=2,
        messages=MESSAGES,
        tools=[weather],
        tool_choice={"type": "any"},
    )
    assert [message.stop_reason for message in runner] == ["tool_use", "tool_use"]


def langchain_chat():
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(model=MODEL, max_tokens=12, max_retries=0)
    assert "Paris" in model.invoke(QUESTION).content
    assert "Paris" in "".join(chunk.content for chunk in model.stream(QUESTION))


def x402_exact():
    from eth_account import Account
    from x402 import x402ClientSync
    from x402.http.clients import x402_requests
    from x402.mechanisms.evm.exact import ExactEvmScheme

    with open(".assay/network.json") as file:
        network = json.load(file)
    opg = {
        "network": f"eip155:{network['chainId']}",
        "asset": network["contracts"]["OPG"],
        "max_amount_per_payment": str(10**18),
    }
    client = x402ClientSync().set_spend_controls({"allowed_assets": [opg]})
    client.register("eip155:*", ExactEvmScheme(Account.from_key(os.environ["ASSAY_WALLET_KEY"])))
    answer = x402_requests(client).post(
        f"{network['gatewayUrl']}/v1/chat/completions",
        json={"model": MODEL, "messages": MESSAGES, "max_tokens": 8},
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-assay-receipt"]


def versions():
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in ("openai", "anthropic", "langchain-openai", "x402", "opengradient"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            pass
    print(json.dumps(found))


if __name__ == "__main__":
    globals()[sys.argv[1]]()
