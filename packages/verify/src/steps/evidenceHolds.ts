import { type Bundle, canonicalJsonBytes, enclaveBinding, evidenceToJson, tag } from '@assay/protocol'
import { keccak256 } from 'viem'
import type { ChainView } from '../chainView.ts'
import { failed, passed, type Step, same, skipped, step } from '../step.ts'
import { verifyEvidence } from '../tee/verifyEvidence.ts'

/**
 * Seconds between the document and the key's admission: validators judge freshness when they vote (300 s); a reader who
 * comes later only needs to know that the vote was not on an old document.
 */
const ADMISSION_SECONDS = 86_400n

/** The attestation document behind the key, checked again from its bytes. */
export function evidenceHolds({ evidence, receipt }: Bundle, view: ChainView): Promise<Step> {
  return step('evidenceHolds', () => {
    if (evidence === undefined) {
      return skipped(
        'evidence_absent',
        'The bundle holds no attestation; the validators checked it at registration.',
      )
    }
    const { key, rules, evidenceAnchor: anchor } = view
    if (key === null) return failed('key_unknown', `Key ${receipt.key} is not registered.`)
    const found = keccak256(canonicalJsonBytes(evidenceToJson(evidence)))
    if (!same(found, key.evidenceHash)) {
      return failed(
        'evidence_differs',
        `The evidence hashes to ${found}, registered was ${key.evidenceHash}.`,
      )
    }
    if (!same(tag(evidence.kind), key.hardwareType)) {
      return failed(
        'evidence_differs',
        `Evidence of kind ${JSON.stringify(evidence.kind)} is not of the key's type.`,
      )
    }
    if (anchor !== undefined && (anchor === null || !same(anchor.hash, evidence.anchorHash))) {
      const reason = `Block ${evidence.anchorBlock} of this chain is not the one that the evidence names.`
      return failed('evidence_differs', reason)
    }
    const verdict = verifyEvidence(evidence, {
      rootHash: key.rootHash,
      hardwareType: key.hardwareType,
      measurement: key.measurement,
      rules,
      userData: enclaveBinding(view.deployment, { node: receipt.node, key: receipt.key, ...evidence }),
      now: key.validFrom,
      earlier: ADMISSION_SECONDS,
    })
    if (verdict?.ok) {
      const gpus = evidence.gpus?.length ?? 0
      const beside = gpus === 0 ? '' : `, and so do those of ${gpus} GPU${gpus === 1 ? '' : 's'} beside it`
      return passed(`The attestation document holds and names this key and operator${beside}.`)
    }
    const reason =
      verdict?.reason ?? `nothing here verifies evidence of kind ${JSON.stringify(evidence.kind)}`
    return failed('evidence_invalid', `${reason}.`)
  })
}
