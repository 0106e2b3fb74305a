import {
  cardHash,
  MODE,
  type ModelManifest,
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
import { bytesToHex, type Hex } from 'viem'
import { fraudScorer } from './fraudScorer.ts'

/** What a receipt of mode zk says of an answer, and what stands beside it in a batch. */
export type Scored = {
  receipt: Pick<Receipt, 'mode' | 'evidenceHash' | 'requestHash' | 'responseHash'>
  zk: ProofAttachment
}

/** The development network's scorer of card payments, as it is published, and answers of it. */
export type PaymentScorer = {
  card: Uint8Array
  modelRoot: Hex
  manifest: ModelManifest
  /**
   * The answer about a payment, with the proof of the honest one.
   * @param lie is added to the first number of the answer, which the proof does not know of
   */
  score(which: number, lie?: number): Scored
}

export function paymentScorer(): PaymentScorer {
  const { compiled, inputs } = fraudScorer()
  const committed = commitModel(createWorkspace(), compiled.model)
  const { architecture } = compiled.model.plan
  const card = encodeModelCard({ ...compiled, architecture, weightsRoot: committed.commitment.root })
  const modelRoot = bytesToHex(decodeModelCard(card).modelRoot)
  const model = 'fraud-scorer'
  const manifest: ModelManifest = {
    name: model,
    engine: 'circuit',
    files: [],
    contextLength: 1,
    license: 'Apache-2.0',
    modes: ['zk'],
    card: cardHash(card),
  }
  const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))

  function score(which: number, lie = 0): Scored {
    const asked = inputs[which] as number[]
    const input = encodeInput(compiled, asked)
    const { output, proof } = proveInference(committed, input)
    const tensor = [...output].map((value, at) => (at === 0 ? value + lie : value))
    const request = { method: 'POST', path: '/v1/infer', headers: [], body: bytes({ model, input: asked }) }
    const body = bytes({ model, output: decodeOutput(compiled, tensor), tensor })
    const response = { status: 200, contentType: 'application/json', body }
    const evidenceHash = zkEvidenceHash({
      modelRoot,
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
  return { card, modelRoot, manifest, score }
}
