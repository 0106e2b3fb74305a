/** Our verdicts on mutants beside those of dcap-qvl; each difference must be one whose cause is known. */
import { type DcapReport, verifyDcap } from '../../src/index.ts'
import { type DcapQvl, disagreement } from './dcapQvl.ts'
import { fuzzVerifier, type Sound } from './fuzzDcap.ts'

const CERTIFICATE = /-----BEGIN CERTIFICATE-----([\s\S]*?)-----END CERTIFICATE-----/g
const bodies = (pem: string) => [...pem.matchAll(CERTIFICATE)].map(([, body]) => body?.replace(/\s/g, ''))
const latin = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1')

/** Whether two texts hold the same first certificates. */
function sameStart(a: string, b: string, count: number): boolean {
  const [first, second] = [bodies(a).slice(0, count), bodies(b).slice(0, count)]
  return first.length === count && first.every((body, at) => body === second[at])
}

/**
 * The mutant with what dcap-qvl never reads put back as it was: the issuer chain of the PCK revocation list (it takes the
 * quote's), the root of each chain and text around certificates (it takes the root it was given), bytes behind the quote.
 */
function withUnreadRestored(mutant: Sound, original: Sound): Sound {
  const start = latin(original.quote).indexOf('-----BEGIN')
  const certificates = original.quote.subarray(start)
  const quote = sameStart(latin(mutant.quote.subarray(start)), latin(certificates), 2)
    ? Uint8Array.from([...mutant.quote.subarray(0, start), ...certificates])
    : mutant.quote
  const chain = (name: 'tcbInfoIssuerChain' | 'qeIdentityIssuerChain') =>
    sameStart(mutant.collateral[name], original.collateral[name], 1)
      ? original.collateral[name]
      : mutant.collateral[name]
  const collateral = {
    ...mutant.collateral,
    pckCrlIssuerChain: original.collateral.pckCrlIssuerChain,
    tcbInfoIssuerChain: chain('tcbInfoIssuerChain'),
    qeIdentityIssuerChain: chain('qeIdentityIssuerChain'),
  }
  return { ...mutant, quote, collateral }
}

export type Comparison = {
  mutants: number
  agreed: number
  /** Refused by us alone, for something that dcap-qvl does not read; by our failed step. */
  stricter: Record<string, number>
  unexplained: string[]
}

const failedStep = (report: DcapReport) =>
  report.steps.find(({ outcome }) => outcome === 'failed')?.name ?? ''

/** Compares on `count` mutants of each piece of evidence. */
export async function compareOnMutants(
  qvl: DcapQvl,
  evidence: readonly (Sound & { root: Uint8Array })[],
  count: number,
  seed: number,
): Promise<Comparison> {
  const result: Comparison = { mutants: 0, agreed: 0, stricter: {}, unexplained: [] }
  for (const original of evidence) {
    for (const { mutant, report } of fuzzVerifier([original], count, seed)) {
      result.mutants++
      const verdict = await qvl.judge(mutant, original.root)
      const difference = disagreement(report, verdict)
      if (difference === undefined) {
        result.agreed++
        continue
      }
      const { quote, collateral, parameters } = withUnreadRestored(mutant, original)
      const restored = verifyDcap(quote, collateral, parameters)
      if (!report.ok && verdict.ok && disagreement(restored, verdict) === undefined) {
        const step = failedStep(report)
        result.stricter[step] = (result.stricter[step] ?? 0) + 1
      } else {
        result.unexplained.push(difference)
      }
    }
  }
  return result
}
