import { verifyDcap, verifyGpu, verifyNitro, verifyNras, verifySnp } from '@assay/verify'
import { type RecordedEvidence, simulatedEvidence } from '../../packages/verify/test/tee/recordedEvidence.ts'
import { simulateDcap } from '../../packages/verify/test/tee/simulatedDcap.ts'
import { number, printTable } from './table.ts'

const WARM_UP = 5
const RUNS = 41

/** What verifies this piece of evidence, and whether it was accepted. */
function verifierOf(evidence: RecordedEvidence): () => { ok: boolean } {
  switch (evidence.kind) {
    case 'nitro':
      return () => verifyNitro(evidence.document, evidence.parameters)
    case 'snp':
      return () => verifySnp(evidence.evidence, evidence.parameters)
    case 'gpu':
      return () => verifyGpu(evidence.evidence, evidence.parameters)
    case 'nras':
      return () => verifyNras(evidence.tokens, evidence.parameters)
  }
}

function medianMilliseconds(verify: () => { ok: boolean }): number {
  const times: number[] = []
  for (let run = -WARM_UP; run < RUNS; run++) {
    const started = performance.now()
    if (!verify().ok) throw new Error('Sound evidence was refused.')
    if (run >= 0) times.push(performance.now() - started)
  }
  return times.sort((a, b) => a - b)[(RUNS - 1) / 2] as number
}

/** Time to verify one piece of evidence of each kind, cold of any cache: once per key registration, never per receipt. */
export async function benchEvidence(): Promise<void> {
  const dcap = (['tdx', 'sgx'] as const).map((kind) => ({ kind, ...simulateDcap({ kind }) }))
  const verifiers: [string, () => { ok: boolean }][] = [
    ...(await simulatedEvidence()).map((one): [string, () => { ok: boolean }] => [one.name, verifierOf(one)]),
    ...dcap.map(({ kind, quote, collateral, parameters }): [string, () => { ok: boolean }] => [
      `simulated ${kind.toUpperCase()}`,
      () => verifyDcap(quote, collateral, parameters),
    ]),
  ]
  printTable(
    `Evidence verified, median of ${RUNS}`,
    ['evidence', 'ms'],
    verifiers.map(([name, verify]) => [name, number(medianMilliseconds(verify), 1)]),
  )
}
