/** How an enclave gets into the compatibility registry and stays there: against a registry in memory. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Network } from '@assay/protocol'
import { recoverSigner } from '@assay/protocol'
import { teeIdOf, teeRegistrationDigest } from '@assay/protocol/opengradient'
import { type Address, bytesToHex, type Hex, hexToBytes, type PublicClient, zeroHash } from 'viem'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import type { Sender } from '../src/chain/keyRegistry.ts'
import type { Enclave } from '../src/enclaves/enclave.ts'
import { nitroSimAttester } from '../src/enclaves/nitroSim.ts'
import { openEnclave } from '../src/enclaves/openEnclave.ts'
import { simulatedRoot } from '../src/enclaves/simulatedChain.ts'
import { listTee } from '../src/opengradient/listTee.ts'

const OPERATOR: Address = '0x00000000000000000000000000000000000000aa'
const OTHER: Address = '0x00000000000000000000000000000000000000bb'
const profile: NonNullable<Network['profile']> = {
  name: 'opengradient',
  payer: OTHER,
  registry: '0x00000000000000000000000000000000000000cc',
  settlement: OTHER,
  endpoint: 'https://127.0.0.1:4443',
  tlsCertificate: '0x3082',
}
const network = { chainId: 8453, profile } as Network

type Listed = { owner: Address; publicKey: Hex }

/** A registry that takes what it is sent, and a wait for what it was sent. */
function memory(listed: Map<Hex, Listed>) {
  const teeOf = new Map<string, Hex>()
  const calls: { name: string; args: readonly unknown[] }[] = []
  let wake = () => {}
  let failures = 0
  const client = {
    async readContract({ functionName, args }: { functionName: string; args: readonly [string] }) {
      if (functionName === 'teeOf') return teeOf.get(args[0]) ?? zeroHash
      return [...listed.values()]
    },
  } as unknown as PublicClient
  const sender: Sender = {
    address: OPERATOR,
    async send({ functionName: name, args }) {
      if (failures > 0) {
        failures -= 1
        throw new Error('the chain is away')
      }
      calls.push({ name, args })
      if (name === 'disableTEE') listed.delete(args[0] as Hex)
      wake()
      return { transactionHash: `0x${'77'.repeat(32)}` }
    },
  }
  return {
    client,
    sender,
    calls,
    failOnce: () => {
      failures = 1
    },
    list(key: Address, publicKey: Hex) {
      const id = teeIdOf(hexToBytes(publicKey))
      teeOf.set(key, id)
      listed.set(id, { owner: OPERATOR, publicKey })
    },
    /** Resolves when so many calls were made. */
    async made(count: number): Promise<void> {
      while (calls.length < count) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
  }
}

async function boot(): Promise<Enclave> {
  const attester = nitroSimAttester(await simulatedRoot(temporaryFolder('listing')))
  return openEnclave({ attester, engineClasses: 1, withTeeKey: true })
}

test('an admitted enclave is listed by its receipt key’s signature, and those of earlier lives are switched off', async () => {
  const enclave = await boot()
  assert.ok(enclave.tee !== undefined)
  const publicKey = bytesToHex(enclave.tee.der)
  const [mine, theirs]: [Hex, Hex] = ['0x3001', '0x3002']
  const idOf = (key: Hex) => teeIdOf(hexToBytes(key))
  const registry = memory(
    new Map([
      [idOf(mine), { owner: OPERATOR, publicKey: mine }],
      [idOf(theirs), { owner: OTHER, publicKey: theirs }],
    ]),
  )
  registry.failOnce()
  const facts: string[] = []
  const listing = listTee({
    ...{ client: registry.client, sender: registry.sender, network, profile },
    admitted: () => enclave,
    log: (event) => facts.push(event),
  })
  await registry.made(1)
  registry.list(enclave.key, publicKey)
  await registry.made(2)
  await listing.close()
  const [first, second] = registry.calls
  assert.equal(first?.name, 'registerTEE')
  const [paymentAddress, endpoint, key, tlsCertificate, signature] = (first?.args ?? []) as Hex[]
  assert.deepEqual([endpoint, key, tlsCertificate], [profile.endpoint, publicKey, profile.tlsCertificate])
  const digest = teeRegistrationDigest(
    {
      owner: OPERATOR,
      paymentAddress: paymentAddress as Address,
      endpoint: profile.endpoint,
      publicKey,
      tlsCertificate: profile.tlsCertificate,
    },
    { chainId: network.chainId, registry: profile.registry },
  )
  assert.equal(await recoverSigner(digest, signature as Hex), enclave.key)
  // Its own of before; the other operator's stays.
  assert.deepEqual(second, { name: 'disableTEE', args: [idOf(mine)] })
  assert.deepEqual(facts, ['tee_listing_failed', 'tee_listed'])
  const status = listing.status()
  assert.equal(status.sent, 2)
  assert.equal(status.errors, 1)
  assert.equal(status.lastError, null)
})

test('nothing is listed before the key was admitted', async () => {
  const registry = memory(new Map())
  let asked = 0
  const listing = listTee({
    ...{ client: registry.client, sender: registry.sender, network, profile },
    admitted: () => {
      asked += 1
      return undefined
    },
    log: () => undefined,
  })
  await listing.close()
  assert.equal(asked, 1)
  assert.deepEqual(registry.calls, [])
})
