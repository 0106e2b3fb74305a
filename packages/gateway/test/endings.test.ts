/** Endings that the database could not take at once, in turns with new claims of the same payments. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AssayError } from '@assay/protocol'
import type { Hex } from '@assay/store'
import { createLedger } from '../src/payment/ledger.ts'
import { createEndings } from '../src/relay/endings.ts'

const [FIRST, SECOND] = ['a1', 'a2'].map((byte) => `0x${byte.repeat(32)}`) as [Hex, Hex]

test('an ending that a new claim has had written is not written once more by whoever catches up', async () => {
  const written: Hex[] = []
  const gate = Promise.withResolvers<void>()
  let away = true
  const endings = createEndings({
    ledger: createLedger(),
    log: () => {},
    writer: {
      claim: () => assert.fail('no claim is asked for'),
      takePlace: () => assert.fail('no place is asked for'),
      reserve: () => assert.fail('nothing is to be set aside'),
      record: () => assert.fail('no receipt is asked for'),
      async end(requestId) {
        if (away) throw new AssayError('The database does not answer.', { code: 'unreachable' })
        if (requestId === FIRST) await gate.promise
        written.push(requestId)
      },
    },
  })
  await endings.end(FIRST, 'released')
  await endings.end(SECOND, 'released')
  away = false
  const catchingUp = endings.catchUp()
  // Its payment is sent again meanwhile: from here on the writer's next ending of it would be that of the new claim.
  await endings.finish(SECOND)
  gate.resolve()
  await catchingUp
  assert.deepEqual(written, [SECOND, FIRST])
})
