import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keccak256, toHex } from 'viem'
import { eventScanner } from '../src/eventScanner.ts'
import type { BlockId } from '../src/validatorChain.ts'

/** A chain whose blocks have a hash per fork, and which remembers what ranges were asked for. */
function fakeChain() {
  const asked: [bigint, bigint][] = []
  const chain = { fork: 0, asked }
  const block = (number: bigint): BlockId => ({
    number,
    hash: keccak256(toHex(`${chain.fork} ${number}`)),
    timestamp: number,
  })
  return {
    ...chain,
    block: async (number: bigint) => block(number),
    at: block,
    setFork: (fork: number) => {
      chain.fork = fork
    },
    events: async (from: bigint, to: bigint) => {
      asked.push([from, to])
      return { batches: [], proposals: [], uncounted: [] }
    },
  }
}

function fakeRecord(start?: bigint) {
  const record = {
    saved: start,
    cursor: () => record.saved,
    setCursor: (_: string, block: bigint) => {
      record.saved = block
    },
  }
  return record
}

test('every block is asked for once, new ones only', async () => {
  const chain = fakeChain()
  const scanner = eventScanner({ chain, record: fakeRecord(), deploymentId: '0x', fromBlock: 5n })
  for (const safe of [10n, 10n, 12n]) await scanner.scan(chain.at(safe))
  assert.deepEqual(chain.asked, [
    [5n, 10n],
    [11n, 12n],
  ])
})

test('a chain that lost blocks, or replaced them, is read again', async () => {
  const chain = fakeChain()
  const scanner = eventScanner({ chain, record: fakeRecord(), deploymentId: '0x', fromBlock: 0n })
  await scanner.scan(chain.at(1000n))
  await scanner.scan(chain.at(990n))
  chain.setFork(1)
  await scanner.scan(chain.at(1005n))
  assert.deepEqual(chain.asked.slice(1), [
    [926n, 990n],
    [926n, 1005n],
  ])
})

test('after a restart reading begins at the oldest event that is still open', async () => {
  const chain = fakeChain()
  const record = fakeRecord()
  const first = eventScanner({ chain, record, deploymentId: '0x', fromBlock: 0n })
  await first.scan(chain.at(1000n))
  first.remember(700n)
  assert.equal(record.saved, 700n)
  await eventScanner({ chain, record, deploymentId: '0x', fromBlock: 0n }).scan(chain.at(1001n))
  assert.deepEqual(chain.asked.at(-1), [636n, 1001n])
  first.remember(undefined)
  assert.equal(record.saved, 1000n)
})

test('a chain that lost more blocks while nobody read it than are read again is read from its end on', async () => {
  const chain = fakeChain()
  const scanner = eventScanner({ chain, record: fakeRecord(1000n), deploymentId: '0x', fromBlock: 0n })
  for (const safe of [450n, 451n]) await scanner.scan(chain.at(safe))
  assert.deepEqual(chain.asked, [
    [386n, 450n],
    [451n, 451n],
  ])
})
