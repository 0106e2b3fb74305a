import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openOwnTill } from '../src/chain/ownTill.ts'
import { TILL } from './fixtures.ts'

/** InferenceEscrow's part: an operator opens one till, and is refused a second. */
function escrow(refusal?: Error) {
  let opened = false
  return {
    till: async () => (opened ? TILL : undefined),
    async openTill() {
      await Promise.resolve()
      if (refusal !== undefined) throw refusal
      if (opened) throw new Error('The contract refused openTill: TillExists')
      opened = true
    },
  }
}

test('gateways of one operator that start at once, where it has no till yet, come to the same one', async () => {
  const chain = escrow()
  const open = () => openOwnTill(chain, 'http://127.0.0.1:4020')
  assert.deepEqual(await Promise.all([open(), open(), open()]), [TILL, TILL, TILL])
})

test('what keeps a till from being opened is told', async () => {
  await assert.rejects(openOwnTill(escrow(new Error('no gas')), 'http://127.0.0.1:4020'), /no gas/)
})
