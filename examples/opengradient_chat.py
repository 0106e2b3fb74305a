"""OpenGradient's own client, unmodified, on a network under its profile; BASE_MAINNET_RPC names its chain."""
import asyncio, json
import opengradient as og

network = json.load(open(".assay/network.json"))
llm = og.LLM.from_url(network["accounts"]["demo"]["privateKey"], network["gatewayUrl"])
question = [{"role": "user", "content": "What is the capital of France?"}]
answer = asyncio.run(llm.chat("assay/smollm2-135m-instruct", question, max_tokens=16))
print(answer.chat_output["content"], answer.tee_signature)
