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
import { createAssay, SdkError } from '@assay/sdk'
import { runAssay } from '../../packages/cli/test/runAssay.ts'
import { createLocalNetwork, type LocalNetwork } from './localNetwork.ts'

const question = 'What is the capital of France?'
/** Between two blocks of Base; those of a development chain come each second. */
const BLOCK_SECONDS = 2n
const text = (_: string, value: unknown) => (typeof value === 'bigint' ? value.toString() : value)
let local: LocalNetwork

before(async () => {
  local = await createLocalNetwork()
  process.env.ASSAY_HOME = local.home
})
after(() => local?.close())

/** In this process: a vote is open for fifteen blocks, in which a command of its own may only just have started. */
async function json<T>(...args: string[]): Promise<T> {
  const { code, out, err } = await runAssay(...args, '--json')
  assert.equal(code, 0, `assay ${args.join(' ')}: ${out}${err}`)
  return JSON.parse(out) as T
}

/** A call through the gateway: when its receipt was issued (Unix seconds), or why there was no answer. */
type Call = { begunAtBlock: bigint } & ({ issuedAt: bigint } | { refused: string })

/** Asks through the gateway, one call after the other, until one that is the last. */
async function askUntil(isLast: (call: Call) => boolean, answered: () => void): Promise<Call[]> {
  const demo = local.network.accounts.demo
  assert.ok(demo !== undefined)
  const { llm } = createAssay({ network: local.network, privateKey: demo.privateKey })
  const client = publicClientOf(local.network)
  const calls: Call[] = []
  const messages = [{ role: 'user', content: question }]
  for (;;) {
    const begunAtBlock = await client.getBlockNumber({ cacheTime: 0 })
    const parameters = { model: 'smollm2-135m-instruct', messages, max_tokens: 1, wait: 'answer' } as const
    const call = await llm.chat(parameters).then(
      ({ receipt }) => {
        answered()
        return { begunAtBlock, issuedAt: receipt.issuedAt }
      },
      (error: unknown) => ({
        begunAtBlock,
        refused: error instanceof SdkError ? error.code : String(error),
      }),
    )
    calls.push(call)
    if (isLast(call)) return calls
  }
}

test('revoked by vote, a measurement backs no new answer from the next block on, and still backs those from before', async () => {
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

  // A client goes on asking while the proposal takes effect, and after it has.
  let revokedIn: bigint | undefined
  const isLate = ({ begunAtBlock }: Call) => revokedIn !== undefined && begunAtBlock > revokedIn + 1n
  const answered = Promise.withResolvers<void>()
  const asking = askUntil(isLate, () => answered.resolve())
  await answered.promise
  const done = await json<{ state: string }>('gov', 'execute', id, '--wait')
  assert.equal(done.state, 'executed')
  const [validFrom, revokedAt] = await client.readContract({
    ...registry,
    functionName: 'measurement',
    args: [hardwareType, measurement],
  })
  assert.ok(validFrom > 0n && revokedAt > validFrom)
  const [revoked] = await client.getContractEvents({
    ...registry,
    eventName: 'MeasurementRevoked',
    fromBlock: 0n,
  })
  assert.ok(revoked !== undefined)
  revokedIn = revoked.blockNumber
  const calls = await asking
  assert.ok('issuedAt' in (calls[0] as Call), 'it served until then')
  for (const call of calls) {
    if ('refused' in call) assert.match(call.refused, /^(gateway_error|verification_failed)$/)
    // The block that revokes is the first whose time is revokedAt; node and gateway look once a block.
    else assert.ok(call.issuedAt <= revokedAt + BLOCK_SECONDS, `${call.issuedAt} against ${revokedAt}`)
  }
  const late = calls.filter(isLate)
  assert.ok(late.length > 0 && late.every((call) => 'refused' in call), JSON.stringify(late, text))

  const verified = await local.assay('verify', bundle)
  assert.equal(verified.code, 0, verified.stdout + verified.stderr)
  const later = await local.assay('chat', question, '--json')
  assert.equal(later.code, 1, later.stdout)
  // The node sees it on the chain and stops by itself; one that went on would have its receipts refused.
  assert.match(later.stdout + later.stderr, /no_node|measurement/i)
  assert.doesNotMatch(later.stdout, /"chatOutput"/)

  const history = await json<{
    records: { kind: string; id: string; events: { what: string; proposal: number }[] }[]
  }>(...['gov', 'rules', 'nitro-sim', '--history'])
  const record = history.records.find((one) => one.kind === 'measurement' && one.id === measurement)
  assert.deepEqual(record?.events.at(-1), { ...record?.events.at(-1), what: 'revoked', proposal: number })
})
