/** Grants and keys of one payer, opened on the fake chain of a gateway under test. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import {
  apiKeyDigest,
  apiKeyHash,
  apiKeyOf,
  grantIdOf,
  grantToJson,
  type SpendingGrant,
  signDigest,
} from '@assay/protocol'
import type { Hex } from 'viem'
import { generatePrivateKey, privateKeyToAddress } from 'viem/accounts'
import { COMMITTER, DEPLOYMENT } from './fixtures.ts'
import type { Harness } from './harness.ts'

const payerKey = generatePrivateKey()
export const payer = privateKeyToAddress(payerKey).toLowerCase() as Hex
let nonce = 0n

export function grantWith(changes: Partial<SpendingGrant> = {}): SpendingGrant {
  nonce += 1n
  return {
    payer,
    gateway: COMMITTER,
    maxTotal: 10_000n,
    maxPerCall: 1_000n,
    ratePerHour: 0n,
    models: [],
    nodes: [],
    expiry: BigInt(Math.floor(Date.now() / 1000) + 3600),
    nonce,
    ...changes,
  }
}

type Granted = { grant: SpendingGrant; id: Hex; key: string }

/** Opens a grant on the chain with a deposit and registers one key under it. */
export async function grantOn(
  harness: Harness,
  changes: Partial<SpendingGrant> = {},
  funded = 10_000n,
): Promise<Granted> {
  const grant = grantWith(changes)
  const id = grantIdOf(grant, DEPLOYMENT)
  harness.chain.state.accounts.set(id, { funded, spent: 0n, revokedAt: 0n, opened: true })
  const key = apiKeyOf(randomBytes(32))
  const answer = await register(harness, grant, key)
  assert.equal(answer.status, 201, await answer.text())
  return { grant, id, key }
}

export async function register(
  harness: Harness,
  grant: SpendingGrant,
  key: string,
  { by = payerKey, allowed = true }: { by?: Hex; allowed?: boolean } = {},
): Promise<Response> {
  const keyHash = apiKeyHash(key)
  const statement = { grantId: grantIdOf(grant, DEPLOYMENT), keyHash, allowed }
  const signature = await signDigest(apiKeyDigest(statement, DEPLOYMENT), by)
  return fetch(`${harness.gateway.url}/v1/grants`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ grant: grantToJson(grant), keyHash, allowed, signature }),
  })
}
