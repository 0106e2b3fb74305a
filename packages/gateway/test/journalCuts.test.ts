/** A gateway over the embedded store dies with each line of the journal half written, and another opens what it leaves. */
import assert from 'node:assert/strict'
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openDatabase } from '@assay/store'
import type { Hex } from 'viem'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { until } from '../../../test/until.ts'
import type { ReceiptAnswer } from './answers.ts'
import { createFakeChain } from './fakeChain.ts'
import { BODY, STREAM_BODY } from './fixtures.ts'
import { type Harness, startHarness } from './harness.ts'
import { type Script, startStubNode } from './stubNode.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const WHOLE: Script = { kind: 'whole', body: bytes('{}') }
const BUSY: Script = { ...WHOLE, status: 503, withoutReceipt: true }
const LEFT: Script = { kind: 'stream', chunks: [bytes('data: 1\n\n')], pause: new Promise(() => {}) }

type Call = { id: Hex; body: string; payment: Record<string, string> }
type Line = { text: string; id: string; says: string }

const journalOf = (directory: string) => join(directory, 'db', 'journal')
function linesOf(directory: string): Line[] {
  const folder = journalOf(directory)
  const text = readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('')
  return (
    text.match(/.+\n/g)?.map((line) => ({
      text: line,
      id: /"requestId":"(\w+)"/.exec(line)?.[1] ?? '',
      says: /"kind":"end".*"state":"(\w+)"/.exec(line)?.[1] ?? /"kind":"(\w+)"/.exec(line)?.[1] ?? '',
    })) ?? []
  )
}

test('wherever the journal ends, what it holds is paid out once, and what it does not hold costs nothing', async (t) => {
  const empty = temporaryFolder('empty')
  await (await openDatabase({ directory: join(empty, 'db') })).close()
  const node = await startStubNode()
  t.after(() => node.close())
  const lives: Harness[] = []
  t.after(async () => void (await Promise.all(lives.map((life) => life.close()))))
  async function begin(directory: string, chain = createFakeChain()): Promise<Harness> {
    const life = await startHarness({ directory, node, chain })
    lives.push(life)
    return life
  }

  // Its database stays empty but for what the journal brings: the chain tells its batcher nothing.
  const chain = createFakeChain()
  const away = async () => {
    throw new Error('not now')
  }
  const directory = temporaryFolder('journal')
  cpSync(empty, directory, { recursive: true })
  const first = await begin(directory, { ...chain, payments: away, head: away })
  const calls: Call[] = []
  for (const [scripts, body] of [
    [[WHOLE], BODY],
    [[BUSY, WHOLE], BODY],
    [[{ ...WHOLE, dieBeforeHead: true }], BODY],
    [[LEFT], STREAM_BODY],
  ] as const) {
    const payment = await first.payFor(body)
    let id = ''
    for (const script of scripts) {
      node.script = script
      const leaving = new AbortController()
      const answer = await first.post(body, payment, { signal: leaving.signal })
      id = answer.headers.get('x-assay-request-id') ?? ''
      await answer.body?.getReader().read()
      leaving.abort()
      const before = linesOf(directory).length
      await until(() => linesOf(directory).filter((line) => line.id === id).length % 2 === 0 && before > 0)
    }
    calls.push({ id: id as Hex, body, payment })
  }
  const lines = linesOf(directory)
  assert.deepEqual(
    lines.map(({ says }) => says),
    ['claim', 'record', 'claim', 'released', 'claim', 'record', 'claim', 'failed', 'claim', 'record'],
  )

  node.script = WHOLE
  for (let whole = 0; whole <= lines.length; whole++) {
    const left = temporaryFolder('left')
    cpSync(empty, left, { recursive: true })
    const half = lines[whole]?.text.slice(0, -20) ?? ''
    const held = lines.slice(0, whole)
    writeFileSync(join(journalOf(left), '0000000000000001.log'), held.map(({ text }) => text).join('') + half)
    const world = createFakeChain()
    for (const [payer, money] of chain.balances) world.balances.set(payer, money)
    const next = await begin(left, world)
    for (const { id, body, payment } of calls) {
      const last = held.findLast((line) => line.id === id)?.says
      const again = await next.post(body, payment)
      const isFree = last === undefined || last === 'released'
      assert.equal(again.status, isFree ? 200 : 409, `${last}, then cut off: ${await again.text()}`)
      const page = await until(async () => {
        const status = await fetch(`${next.gateway.url}/v1/receipts/${id}`)
        const answer = (await status.json()) as ReceiptAnswer
        return (answer.payment?.state === 'settled' || answer.state === 'failed') && answer
      })
      const isOwed = isFree || last === 'record'
      assert.equal(page.payment?.state, isOwed ? 'settled' : undefined, `${last}, then cut off`)
      assert.equal(world.state.collected.filter((taken) => taken === id).length, isOwed ? 1 : 0)
    }
    lives.splice(lives.indexOf(next), 1)
    await next.close()
  }
})
