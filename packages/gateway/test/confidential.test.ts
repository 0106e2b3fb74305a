/** Encrypted requests at the gateway's edge: what it takes from a payer before, and after, it knows what he signed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  CONFIDENTIAL_HEADERS,
  CONFIDENTIAL_PATH,
  encodeRequestAuthHeader,
  OHTTP_REQUEST_TYPE,
  OHTTP_RESPONSE_TYPE,
  REQUEST_AUTH_HEADER,
  requestAuthDigest,
  requestIdOf,
  SCHEME,
  signDigest,
} from '@assay/protocol'
import type { Hex } from 'viem'
import { generatePrivateKey } from 'viem/accounts'
import { errorOf } from './answers.ts'
import { COMMITTER, CONTRACTS, createPayer, DEPLOYMENT, MODEL } from './fixtures.ts'
import { startHarness } from './harness.ts'
import { STUB_KEY } from './stubNode.ts'

const MAXIMUM = 500n
/** Of the bytes inside, which nobody here can read. */
const INSIDE: Hex = `0x${'1d'.repeat(32)}`

test('an encrypted request that its payer did not sign for takes nothing of what he may call and spend', async () => {
  const harness = await startHarness({ limits: { requestsPerMinute: 1 } })
  const key = generatePrivateKey()
  const payer = createPayer('exact', key)
  // For one request at its highest price, and not for two.
  harness.chain.balances.set(payer.address.toLowerCase(), MAXIMUM)
  const ask = (headers: Record<string, string> = {}) =>
    fetch(`${harness.gateway.url}${CONFIDENTIAL_PATH}`, {
      method: 'POST',
      body: new Uint8Array(64),
      headers: {
        'content-type': OHTTP_REQUEST_TYPE.whole,
        [CONFIDENTIAL_HEADERS.model]: MODEL.name,
        [CONFIDENTIAL_HEADERS.maxPrice]: MAXIMUM.toString(),
        [CONFIDENTIAL_HEADERS.key]: STUB_KEY,
        ...headers,
      },
    })
  const authFor = async (payment: Record<string, string>, signer: Hex): Promise<Record<string, string>> => {
    const { payload } = JSON.parse(atob(Object.values(payment)[0] ?? '')) as {
      payload: { authorization: { nonce: Hex } }
    }
    const paymentNonce = payload.authorization.nonce
    const auth = {
      requestId: requestIdOf({
        chainId: DEPLOYMENT.chainId,
        escrow: CONTRACTS.InferenceEscrow,
        payer: payer.address,
        scheme: SCHEME.exact,
        paymentNonce,
      }),
      requestHash: INSIDE,
      modelId: MODEL.modelId,
      maxPrice: MAXIMUM,
      committer: COMMITTER,
      deadline: BigInt(Math.floor(Date.now() / 1000) + 60),
    }
    const signature = await signDigest(requestAuthDigest(auth, DEPLOYMENT), signer)
    return { ...payment, [REQUEST_AUTH_HEADER]: encodeRequestAuthHeader({ auth, signature }) }
  }
  const pay = async () => payer.sign(await ask())
  try {
    for (const unsigned of [await pay(), await authFor(await pay(), generatePrivateKey())]) {
      const refused = await ask(unsigned)
      assert.equal(refused.status, 400)
      assert.equal((await errorOf(refused)).code, 'invalid_request_auth')
      const health = await fetch(`${harness.gateway.url}/health`)
      assert.equal(((await health.json()) as { running: number }).running, 0)
    }
    assert.equal(harness.node.requests.length, 0)
    // His one call of this minute and all of his balance are there for the request that he did sign for.
    harness.node.script = {
      kind: 'whole',
      contentType: OHTTP_RESPONSE_TYPE.whole,
      body: new Uint8Array(32),
      alter: (receipt) => ({ ...receipt, requestHash: INSIDE }),
    }
    const served = await ask(await authFor(await pay(), key))
    assert.equal(served.status, 200, await served.clone().text())
    assert.equal((await served.arrayBuffer()).byteLength, 32)
  } finally {
    await harness.close()
  }
})
