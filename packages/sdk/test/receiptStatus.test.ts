import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { inclusionToJson, receiptToJson } from '@assay/protocol'
import { keccak256, zeroHash } from 'viem'
import { chainReaderOf, createAssay, readReceiptStatus, readRequestReport, SdkError } from '../src/index.ts'
import { manifest, messages, stubForTests } from './stubNetwork.ts'

const stub = await stubForTests()
const options = () => ({ network: stub.network, chain: stub.chain, privateKey: stub.payerKey })

/** A gateway that tells one thing of every request. */
async function telling(told: object, run: (network: typeof stub.network) => Promise<void>): Promise<void> {
  const gateway = createServer((_, response) => void response.end(JSON.stringify(told)))
  await new Promise<void>((listening) => gateway.listen(0, '127.0.0.1', listening))
  try {
    const { port } = gateway.address() as AddressInfo
    await run({ ...stub.network, gatewayUrl: `http://127.0.0.1:${port}` })
  } finally {
    gateway.closeAllConnections()
    gateway.close()
  }
}

test('a sound receipt of another request is none of the one that was asked about', async () => {
  const { llm } = createAssay(options())
  const { bundle } = await llm.chat({ model: manifest.name, messages, wait: 'answer' })
  const { receipt, signature } = bundle
  await telling({ state: 'pending', receipt: receiptToJson(receipt), signature }, async (network) => {
    const own = await readReceiptStatus(network, receipt.requestId)
    assert.deepEqual(own?.signed?.receipt, receipt)
    const another = keccak256('0x77')
    for (const read of [readReceiptStatus, readRequestReport]) {
      await assert.rejects(
        read(network, another),
        (error) => error instanceof SdkError && /receipt of another request/.test(error.shortMessage),
      )
    }
  })
})

test('a request without a receipt has no report, and a state all the same', async () => {
  await telling({ state: 'failed', receipt: null }, async (network) => {
    assert.deepEqual(await readRequestReport(network, keccak256('0x77')), {
      state: 'failed',
      report: undefined,
    })
  })
})

const INCLUSION = {
  batchId: keccak256('0x01'),
  committer: stub.network.gateway,
  height: 1n,
  root: zeroHash,
  sum: 1n,
  exposure: 1n,
  count: 1n,
  dataHash: zeroHash,
  leafSiblings: [],
  rowSiblings: [],
  groupSiblings: [],
}

for (const { what, inclusion, code } of [
  { what: 'the chain is away', inclusion: inclusionToJson(INCLUSION), code: 'unreachable' },
  { what: 'the gateway tells nonsense', inclusion: { batchId: 'none' }, code: 'gateway_error' },
]) {
  test(`an answer is not lost where ${what} while its settlement is looked at`, async () => {
    const chain = {
      ...stub.chain,
      isCommit: async () => true,
      manifestUri: () => Promise.reject(new Error('the RPC is away')),
    }
    stub.tamper = { receiptStatus: { state: 'committed', transactionHash: keccak256('0x02'), inclusion } }
    const { llm } = createAssay({ ...options(), chain })
    const error = await llm.chat({ model: manifest.name, messages }).catch((error: unknown) => error)
    assert.ok(error instanceof SdkError, String(error))
    assert.equal(error.code, code)
    const known = code === 'unreachable' ? keccak256('0x02') : undefined
    assert.equal(error.facts.transactionHash, known, 'what the chain had said by then')
    assert.deepEqual(error.answer?.output, { role: 'assistant', content: 'Paris.' })
  })
}

test('a chain that cannot be asked for a transaction is not said to be without it', async () => {
  const receiptStatus = {
    state: 'committed',
    transactionHash: keccak256('0x02'),
    inclusion: inclusionToJson(INCLUSION),
  }
  stub.tamper = { receiptStatus }
  // Nobody listens there.
  const { isCommit } = chainReaderOf({ ...stub.network, rpcUrl: 'http://127.0.0.1:9' })
  const { llm } = createAssay({ ...options(), chain: { ...stub.chain, isCommit } })
  await assert.rejects(
    llm.chat({ model: manifest.name, messages, waitMilliseconds: 0 }),
    (error) => error instanceof SdkError && error.code === 'unreachable' && error.answer !== undefined,
  )
  let asked = 0
  const chain = {
    ...stub.chain,
    async isCommit() {
      asked += 1
      if (asked === 1) throw new Error('the RPC is away')
      return true
    },
    manifestUri: () => Promise.reject(new Error('the end of this test')),
  }
  const back = createAssay({ ...options(), chain })
  await assert.rejects(back.llm.chat({ model: manifest.name, messages }), /could not be read/)
  assert.equal(asked, 2, 'one that is back in time is asked again')
})
