import {
  MODE,
  type ProofAttachment,
  type Receipt,
  requestHash,
  responseHash,
  zkEvidenceHash,
} from '@assay/protocol'
import {
  commitModel,
  createWorkspace,
  decodeModelCard,
  decodeOutput,
  encodeInput,
  encodeModelCard,
  proveInference,
  tensorHash,
} from '@assay/zkml'
import { bytesToHex } from 'viem'
import { fraudScorer } from '../fraudScorer.ts'

/** What a receipt of mode zk says of an answer, and what stands beside it in a batch. */
export type Scored = {
  receipt: Pick<Receipt, 'mode' | 'evidenceHash' | 'requestHash' | 'responseHash'>
  zk: ProofAttachment
}

/**
 * Answers of the development network's scorer of card payments, each with the proof of the honest one.
 * @returns a function of which payment is asked about, and of a lie, which is added to the first number of the answer
 */
export function paymentScorer(): (which: number, lie?: number) => Scored {
  const { compiled, inputs } = fraudScorer()
  const committed = commitModel(createWorkspace(), compiled.model)
  const { architecture } = compiled.model.plan
  const card = encodeModelCard({ ...compiled, architecture, weightsRoot: committed.commitment.root })
  const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))
  const model = 'fraud-scorer'
  return (which, lie = 0) => {
    const asked = inputs[which] as number[]
    const input = encodeInput(compiled, asked)
    const { output, proof } = proveInference(committed, input)
    const tensor = [...output].map((value, at) => (at === 0 ? value + lie : value))
    const request = { method: 'POST', path: '/v1/infer', headers: [], body: bytes({ model, input: asked }) }
    const body = bytes({ model, output: decodeOutput(compiled, tensor), tensor })
    const response = { status: 200, contentType: 'application/json', body }
    const evidenceHash = zkEvidenceHash({
      modelRoot: bytesToHex(decodeModelCard(card).modelRoot),
      inputHash: bytesToHex(tensorHash(input)),
      outputHash: bytesToHex(tensorHash(tensor)),
    })
    return {
      receipt: {
        mode: MODE.zk,
        evidenceHash,
        requestHash: requestHash(request),
        responseHash: responseHash(response),
      },
      zk: { card, proof, request, response },
    }
  }
}
