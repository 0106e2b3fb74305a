/** Clients' names that the database could not take back at once, and are taken again. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AssayError } from '@assay/protocol'
import type { AnswerName, AnswerNames, Hex } from '@assay/store'
import { createNames } from '../src/idempotency/names.ts'

const [FIRST, SECOND] = ['first', 'second'].map((id) => ({ scope: 'key:0x1', id })) as [
  AnswerName,
  AnswerName,
]
const REQUEST = { requestHash: `0x${'a1'.repeat(32)}` as Hex, requestId: undefined, keepSeconds: 60 }

/** A database of names that is away until it is said to be back. */
function kept() {
  const written: string[] = []
  const state = { away: true, gate: Promise.resolve() }
  const unasked = () => assert.fail('nothing is kept here')
  const names: AnswerNames = {
    bind: unasked,
    keep: unasked,
    async take({ id }) {
      written.push(`take ${id}`)
      return { what: 'new' }
    },
    async free({ id }) {
      if (state.away) throw new AssayError('The database does not answer.', { code: 'unreachable' })
      await state.gate
      written.push(`free ${id}`)
    },
  }
  return { written, state, names }
}

test('a name that is still to be given back is given back before it is taken again, and not once more', async () => {
  const { written, state, names: inDatabase } = kept()
  const logged: string[] = []
  const log = (event: string) => void logged.push(event)
  const names = createNames({ kept: inDatabase, endings: { finish: async () => false }, log })
  await names.free(FIRST)
  await names.free({ ...SECOND })
  assert.deepEqual(logged, ['free_postponed', 'free_postponed'])
  await assert.rejects(names.take(FIRST, REQUEST), { code: 'unreachable' })
  assert.equal(written.length, 0, 'taken while it is still to be given back')
  state.away = false
  const gate = Promise.withResolvers<void>()
  state.gate = gate.promise
  const catchingUp = names.catchUp()
  const takings = [names.take({ ...SECOND }, REQUEST), names.take({ ...FIRST }, REQUEST)]
  gate.resolve()
  await Promise.all([catchingUp, ...takings])
  assert.deepEqual([...written].sort(), ['free first', 'free second', 'take first', 'take second'])
  for (const id of ['first', 'second']) {
    assert.ok(written.indexOf(`free ${id}`) < written.indexOf(`take ${id}`), written.join())
  }
  await names.take(FIRST, REQUEST)
  assert.equal(written.length, 5)
})

test('a name whose request is still to be ended is asked for again once that is written', async () => {
  const { names: inDatabase } = kept()
  const requestId: Hex = `0x${'b2'.repeat(32)}`
  const ended = new Set<Hex>()
  const left = new Set<Hex>([requestId])
  const names = createNames({
    kept: {
      ...inDatabase,
      take: async () => (ended.has(requestId) ? { what: 'new' } : { what: 'running', requestId }),
    },
    endings: {
      async finish(id) {
        if (!left.delete(id)) return false
        ended.add(id)
        return true
      },
    },
    log: () => {},
  })
  assert.deepEqual(await names.take(FIRST, REQUEST), { what: 'new' })
  ended.clear()
  assert.deepEqual(await names.take(FIRST, REQUEST), { what: 'running', requestId })
})
