import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { json } from 'node:stream/consumers'
import { after, test } from 'node:test'
import { saveNetwork } from '@assay/chain'
import { inferenceEscrowAbi } from '@assay/protocol'
import { PAYMENT_STATE } from '@assay/verify'
import { encodeFunctionResult, type Hex, zeroAddress } from 'viem'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { networkWith } from '../../gateway/test/fixtures.ts'
import { runAssay } from './runAssay.ts'

const requestId = `0x${'2a'.repeat(32)}`
/** What the gateway tells of every request, and the chain of every payment. */
let told: object | undefined
let payment: { amount: bigint; state: number }

/** A gateway and a chain in one. */
const server = createServer(async (request, response) => {
  if (request.method === 'GET') {
    if (told === undefined) response.writeHead(404)
    return void response.end(JSON.stringify(told ?? {}))
  }
  const answer = ({ id, method }: { id: number; method: string }) => ({
    jsonrpc: '2.0',
    id,
    result: method === 'eth_call' ? paymentOnChain() : null,
  })
  const asked = (await json(request)) as { id: number; method: string } | { id: number; method: string }[]
  response.end(JSON.stringify(Array.isArray(asked) ? asked.map(answer) : answer(asked)))
})
await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
after(() => {
  server.closeAllConnections()
  server.close()
})
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
const file = path.join(temporaryFolder('ends'), 'network.json')
saveNetwork(file, { ...networkWith([]), gatewayUrl: url, rpcUrl: url })

function paymentOnChain(): Hex {
  return encodeFunctionResult({
    abi: inferenceEscrowAbi,
    functionName: 'payment',
    result: [zeroAddress, zeroAddress, payment.amount, 0n, 0n, payment.state],
  })
}

const untouched = { amount: 0n, state: PAYMENT_STATE.none }
const without = (state: string) => ({ requestId, state, receipt: null, payment: null })

const ENDS: {
  what: string
  told: object | undefined
  payment: typeof payment
  code: string
  says: RegExp
}[] = [
  {
    what: 'a request that failed did fail, and may be made again',
    told: without('failed'),
    payment: untouched,
    code: 'request_failed',
    says: /knows this request: it failed[\s\S]*state: failed[\s\S]*taken: nothing[\s\S]*Next: Ask again/,
  },
  {
    what: 'a request that may still come to a receipt is not to be made again yet',
    told: without('pending'),
    payment: untouched,
    code: 'pending',
    says: /no receipt for it yet[\s\S]*Next: Do not ask again before[\s\S]*assay verify 0x2a/,
  },
  {
    what: 'a request that nobody knows was never taken up',
    told: undefined,
    payment: untouched,
    code: 'not_found',
    says: /Neither the chain nor the gateway knows[\s\S]*state: unknown[\s\S]*may be made again/,
  },
  {
    what: 'what the gateway calls failed and the chain took is to be had back',
    told: without('failed'),
    payment: { amount: 7n, state: PAYMENT_STATE.locked },
    code: 'receipt_missing',
    says: /chain has a payment[\s\S]*taken: 0\.000000000000000007 OPG[\s\S]*assay wallet refund 0x2a/,
  },
  {
    what: 'a gateway that shows no receipt of what it calls final is not to be relied on',
    told: without('final'),
    payment: untouched,
    code: 'receipt_missing',
    says: /shows no receipt[\s\S]*Do not rely/,
  },
]

for (const end of ENDS) {
  test(`verify by id: ${end.what}`, async () => {
    ;({ told, payment } = end)
    const { code, out, err } = await runAssay('verify', requestId, '--network', file)
    assert.equal(code, 1, out + err)
    assert.match(err, end.says)
    const asJson = await runAssay('verify', requestId, '--network', file, '--json')
    assert.equal(asJson.code, 1)
    const { error } = JSON.parse(asJson.out) as { error: { code: string; facts: { state: string } } }
    const state = end.told === undefined ? 'unknown' : (end.told as { state: string }).state
    assert.deepEqual([error.code, error.facts.state], [end.code, state])
  })
}

for (const { state, receipt, says } of [
  { state: 'failed', receipt: null, says: /failed: nothing was taken for it, nor will be.*asked again/ },
  { state: 'pending', receipt: null, says: /nothing to pay yet.*do not ask again/ },
  { state: 'committed', receipt: {}, says: /nothing to pay: its answer costs nothing/ },
]) {
  test(`wallet payment: where nothing is paid for what is ${state}, it says whether that may change`, async () => {
    told = { requestId, state, receipt, payment: null }
    const { code, out, err } = await runAssay('wallet', 'payment', requestId, '--network', file)
    assert.equal(code, 0, err)
    assert.match(out, says)
    assert.match(out, new RegExp(`request +${state}\n`))
    const asJson = await runAssay('wallet', 'payment', requestId, '--network', file, '--json')
    assert.deepEqual(JSON.parse(asJson.out), { requestId, state, payment: null })
  })
}
