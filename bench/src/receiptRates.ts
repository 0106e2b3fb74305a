import { batchEntries, buildBatch, parseBatchFile, type SignedReceipt } from '@assay/protocol'
import { verifyReceipt } from '@assay/verify'
import { sampleCommitter, sampleDeployment, sampleReceipt, sampleView, signSample } from './sampleReceipts.ts'
import { number, printTable } from './table.ts'

const RECEIPTS = 4096
const WARM_UP = 200

/** Receipts signed, batched and verified per second on one core: pure computation, no disk, no network. */
export async function benchReceiptRates(): Promise<void> {
  for (let at = 0; at < WARM_UP; at++) await signSample(sampleReceipt(at))
  const receipts = Array.from({ length: RECEIPTS }, (_, at) => sampleReceipt(at))
  const signed: SignedReceipt[] = []
  const rates: [string, number][] = []
  async function measure(name: string, work: () => unknown): Promise<void> {
    const start = performance.now()
    await work()
    rates.push([name, RECEIPTS / ((performance.now() - start) / 1000)])
  }
  await measure('signed (EIP-712 digest + secp256k1)', async () => {
    for (const receipt of receipts) signed.push(await signSample(receipt))
  })
  const parameters = { deployment: sampleDeployment, committer: sampleCommitter }
  buildBatch({ ...parameters, height: 1n, receipts: signed.slice(0, WARM_UP) })
  await measure('batched by 256 (trees, file, hashes)', () => {
    for (let at = 0; at < RECEIPTS; at += 256) {
      buildBatch({ ...parameters, height: BigInt(at + 1), receipts: signed.slice(at, at + 256) })
    }
  })
  await measure('batched by 4,096', () => buildBatch({ ...parameters, height: 1n, receipts: signed }))
  const { file } = buildBatch({ ...parameters, height: 1n, receipts: signed })
  const view = sampleView()
  await measure('verified, as a validator does (file parsed and rebuilt, every receipt)', async () => {
    for (const entry of batchEntries(parseBatchFile(file, sampleDeployment))) {
      const report = await verifyReceipt(entry, view)
      if (!report.ok) throw new Error(`A sample receipt does not verify: ${JSON.stringify(report)}`)
    }
  })
  const slowest = Math.min(...rates.map(([, rate]) => rate))
  printTable(
    'Receipts per second, one core',
    ['step', 'per second', 'µs each', 'ratio to the slowest'],
    rates.map(([name, rate]) => [name, number(rate), number(1e6 / rate), `${number(rate / slowest, 1)}×`]),
  )
}
