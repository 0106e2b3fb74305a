"""The x402 client for Python pays the gateway's 402 by itself, once OPG is a token that it may spend."""
import json, os
from eth_account import Account
from x402 import x402ClientSync
from x402.http.clients import x402_requests
from x402.mechanisms.evm.exact import ExactEvmScheme

network = json.load(open(".assay/network.json"))
opg = {"network": f"eip155:{network['chainId']}", "asset": network["contracts"]["OPG"], "max_amount_per_payment": str(10**18)}
client = x402ClientSync().set_spend_controls({"allowed_assets": [opg]})
client.register("eip155:*", ExactEvmScheme(Account.from_key(os.environ["ASSAY_WALLET_KEY"])))
ask = {"model": "smollm2-135m-instruct", "messages": [{"role": "user", "content": "Hello."}], "max_tokens": 8}
answer = x402_requests(client).post(f"{network['gatewayUrl']}/v1/chat/completions", json=ask)
print(answer.status_code, answer.json(), answer.headers["x-assay-receipt"])
