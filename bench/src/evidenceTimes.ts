import { verifyDcap, verifyGpu, verifyNitro, verifyNras, verifySnp } from '@assay/verify'
import { type RecordedEvidence, simulatedEvidence } from '../../packages/verify/test/tee/recordedEvidence.ts'
import { number, printTable } from './table.ts'

const WARM_UP = 5
const RUNS = 41

/** What verifies this piece of evidence, and whether it was accepted. */
function verifierOf(evidence: RecordedEvidence): () => { ok: boolean } {
  switch (evidence.kind) {
    case 'nitro':
      return () => verifyNitro(evidence.document, evidence.parameters)
    case 'dcap':
      return () => verifyDcap(evidence.evidence.quote, evidence.evidence.collateral, evidence.parameters)
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
  printTable(
    `Evidence verified, median of ${RUNS}`,
    ['evidence', 'ms'],
    (await simulatedEvidence()).map((one) => [one.name, number(medianMilliseconds(verifierOf(one)), 1)]),
  )
}
