/**
 * What holders decide, on the whole network as a user runs it: a measurement that was approved is revoked by vote, and
 * every receipt is judged by what stood when it was issued.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { publicClientOf } from '@assay/chain'
import { parseBundle, teeRegistryAbi } from '@assay/protocol'
import { createLocalNetwork, type LocalNetwork } from './localNetwork.ts'

const question = 'What is the capital of France?'
let local: LocalNetwork

before(async () => {
  local = await createLocalNetwork()
})
after(() => local?.close())

async function json<T>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await local.assay(...args, '--json')
  assert.equal(code, 0, `assay ${args.join(' ')}: ${stdout}${stderr}`)
  return JSON.parse(stdout) as T
}

test('revoked by vote, a measurement no longer backs new answers, and still backs those from before', async () => {
  const bundle = path.join(local.home, 'before.json')
  const earlier = await local.assay('chat', question, '--save', bundle)
  assert.equal(earlier.code, 0, earlier.stderr)

  const registry = { address: local.network.contracts.TeeRegistry, abi: teeRegistryAbi } as const
  const client = publicClientOf(local.network)
  const { receipt } = parseBundle(readFileSync(bundle))
  const key = await client.readContract({ ...registry, functionName: 'key', args: [receipt.key] })
  const [, hardwareType, , measurement] = key
  const what = ['revoke-measurement', hardwareType, measurement]
  const { number } = await json<{ number: number }>('gov', 'propose', ...what, '--as', 'deployer')
  const id = String(number)
  await json('gov', 'vote', id, 'for', '--as', 'deployer', '--wait')
  await json('gov', 'queue', id, '--wait')
  const done = await json<{ state: string }>('gov', 'execute', id, '--wait')
  assert.equal(done.state, 'executed')
  const [validFrom, revokedAt] = await client.readContract({
    ...registry,
    functionName: 'measurement',
    args: [hardwareType, measurement],
  })
  assert.ok(validFrom > 0n && revokedAt > validFrom)

  const verified = await local.assay('verify', bundle)
  assert.equal(verified.code, 0, verified.stdout + verified.stderr)
  const later = await local.assay('chat', question, '--json')
  assert.equal(later.code, 1, later.stdout)
  // The node sees it on the chain and stops by itself; one that went on would have its receipts refused.
  assert.match(later.stdout + later.stderr, /no_node|measurement/i)
  assert.doesNotMatch(later.stdout, /"chatOutput"/)
})
