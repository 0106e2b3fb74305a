// Any client of x402 v2 can pay; this one is told that OPG is a token it may spend, at most 1 of them a call.
import { createAssay } from '@assay/sdk'
import { ExactEvmScheme } from '@x402/evm'
import { wrapFetchWithPayment, x402Client } from '@x402/fetch'
import { privateKeyToAccount } from 'viem/accounts'

const privateKey = process.env.ASSAY_WALLET_KEY as `0x${string}`
const { chainId, contracts, gatewayUrl } = createAssay({ privateKey }).network
const most = { asset: contracts.OPG, maxAmountPerPayment: `${10n ** 18n}` }
const client = new x402Client().register('eip155:*', new ExactEvmScheme(privateKeyToAccount(privateKey)))
client.setSpendControls({ allowedAssets: [{ network: `eip155:${chainId}`, ...most }] })
const body = '{"model":"smollm2-135m-instruct","messages":[{"role":"user","content":"Hello."}]}'
const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body }
const answer = await wrapFetchWithPayment(fetch, client)(`${gatewayUrl}/v1/chat/completions`, init)
console.log(await answer.json(), answer.headers.get('x-assay-receipt'))
