import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { receiptToJson } from '@assay/protocol'
import { keccak256 } from 'viem'
import { createAssay, readReceiptStatus, readRequestReport, SdkError } from '../src/index.ts'
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
