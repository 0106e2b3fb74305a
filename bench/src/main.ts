/**
 * What the network costs, measured side by side:
 *   npm run bench [rates] [evidence] [gas] [gateway] [zkml]
 * A measurement, never a test: it asserts nothing about time.
 */
import { cpus } from 'node:os'
import { benchEvidence } from './evidenceTimes.ts'
import { benchGas } from './gas/benchGas.ts'
import { benchGateway } from './gateway/benchGateway.ts'
import { benchReceiptRates } from './receiptRates.ts'
import { benchZkml } from './zkml/benchZkml.ts'

const SECTIONS: Record<string, () => Promise<void>> = {
  rates: benchReceiptRates,
  evidence: benchEvidence,
  gas: benchGas,
  gateway: benchGateway,
  zkml: benchZkml,
}

const chosen = process.argv.slice(2)
const unknown = chosen.filter((name) => !(name in SECTIONS))
if (unknown.length > 0) {
  console.error(`There is no section ${unknown.join(', ')}; choose from ${Object.keys(SECTIONS).join(', ')}.`)
  process.exit(2)
}
// So that what waits for the end of the process is done as well when it is interrupted.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}`)
for (const [name, run] of Object.entries(SECTIONS)) {
  if (chosen.length === 0 || chosen.includes(name)) await run()
}
