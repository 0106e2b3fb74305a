import { batchEntries, buildBatch, parseBatchFile, type SignedReceipt, tag } from '@assay/protocol'
import { verifyReceipt } from '@assay/verify'
import { hexToBytes } from 'viem'
import { secp256k1 as webAssembly } from '../../packages/protocol/src/secp256k1/node.ts'
import { secp256k1 as javaScript } from '../../packages/protocol/src/secp256k1/portable.ts'
import { sampleCommitter, sampleDeployment, sampleReceipt, sampleView, signSample } from './sampleReceipts.ts'
import { number, printTable } from './table.ts'

const RECEIPTS = 4096
const WARM_UP = 200

/**
 * Receipts signed, batched and verified per second on one core: pure computation, no disk, no network. Times are of the
 * processor, all threads of this process together (garbage collection too), so that others on the machine do not count.
 */
export async function benchReceiptRates(): Promise<void> {
  for (let at = 0; at < WARM_UP; at++) await signSample(sampleReceipt(at))
  const receipts = Array.from({ length: RECEIPTS }, (_, at) => sampleReceipt(at))
  const signed: SignedReceipt[] = []
  const rates: [string, number][] = []
  async function measure(name: string, count: number, work: () => unknown): Promise<void> {
    const start = process.cpuUsage()
    await work()
    const { user, system } = process.cpuUsage(start)
    rates.push([name, count / ((user + system) / 1e6)])
  }
  await measure('signed (EIP-712 digest + secp256k1)', RECEIPTS, async () => {
    for (const receipt of receipts) signed.push(await signSample(receipt))
  })
  const parameters = { deployment: sampleDeployment, committer: sampleCommitter }
  buildBatch({ ...parameters, height: 1n, receipts: signed.slice(0, WARM_UP) })
  await measure('batched by 256 (trees, file, hashes)', RECEIPTS, () => {
    for (let at = 0; at < RECEIPTS; at += 256) {
      buildBatch({ ...parameters, height: BigInt(at + 1), receipts: signed.slice(at, at + 256) })
    }
  })
  await measure('batched by 4,096', RECEIPTS, () =>
    buildBatch({ ...parameters, height: 1n, receipts: signed }),
  )
  const { file } = buildBatch({ ...parameters, height: 1n, receipts: signed })
  const small = buildBatch({ ...parameters, height: 1n, receipts: signed.slice(0, WARM_UP) }).file
  const view = sampleView()
  const verify = async (bytes: Uint8Array) => {
    for (const entry of batchEntries(parseBatchFile(bytes, sampleDeployment))) {
      const report = await verifyReceipt(entry, view)
      if (!report.ok) throw new Error(`A sample receipt does not verify: ${JSON.stringify(report)}`)
    }
  }
  await verify(small)
  const whole = 'verified, as a validator does (file parsed and rebuilt, every receipt)'
  await measure(whole, RECEIPTS, () => verify(file))
  const digest = hexToBytes(tag('digest'))
  const { signature, recoveryId } = webAssembly.sign(digest, hexToBytes(tag('key')))
  for (const [name, { recover }] of [
    ['key recovered alone, by WebAssembly (node)', webAssembly],
    ['key recovered alone, by JavaScript (elsewhere)', javaScript],
  ] as const) {
    await measure(name, WARM_UP, () => {
      for (let at = 0; at < WARM_UP; at++) recover(digest, signature, recoveryId as 0 | 1)
    })
  }
  const slowest = Math.min(...rates.map(([, rate]) => rate))
  printTable(
    'Receipts per second of one core',
    ['step', 'per second', 'µs each', 'ratio to the slowest'],
    rates.map(([name, rate]) => [name, number(rate), number(1e6 / rate), `${number(rate / slowest, 1)}×`]),
  )
}
