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
import { circuitHashOf } from '@assay/verify'
import {
  commitModel,
  createWorkspace,
  decodeModelCard,
  decodeOutput,
  encodeInput,
  encodeModelCard,
  proveInference,
  recordProof,
  tapeRoot,
  tensorHash,
} from '@assay/zkml'
import { bytesToHex, type Hex } from 'viem'
import { forge } from '../packages/zkml/test/support/maliciousProver.ts'
import { fraudScorer } from './fraudScorer.ts'

/** What a receipt of mode zk says of an answer, and what stands beside it in a batch. */
export type Scored = {
  receipt: Pick<Receipt, 'mode' | 'evidenceHash' | 'requestHash' | 'responseHash'>
  zk: ProofAttachment
}

/** The development network's scorer of card payments, as it is published, and answers of it. */
export type PaymentScorer = {
  card: Uint8Array
  /** What the registry holds as its weights. */
  weightsHash: Hex
  manifest: ModelManifest
  /**
   * The answer about a payment, with the proof of the honest one.
   * @param lie is added to the first number of the answer, which the proof does not know of
   */
  score(which: number, lie?: number): Scored
  /** A false answer: of a prover that lies in the first layer and computes everything after it anew, the proof too. */
  forgeScore(which: number): Scored
}

export function paymentScorer(): PaymentScorer {
  const { compiled, inputs } = fraudScorer()
  const committed = commitModel(createWorkspace(), compiled.model)
  const { architecture } = compiled.model.plan
  const card = encodeModelCard({ ...compiled, architecture, weightsRoot: committed.commitment.root })
  const decoded = decodeModelCard(card)
  const modelRoot = bytesToHex(decoded.modelRoot)
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
    const { output, proof } = proveInference(committed, encodeInput(compiled, asked))
    return scored(
      asked,
      [...output].map((value, at) => (at === 0 ? value + lie : value)),
      proof,
    )
  }

  function forgeScore(which: number): Scored {
    const asked = inputs[which] as number[]
    const { statement, proof } = forge(committed, encodeInput(compiled, asked), {
      afterNode(node, columns, plan) {
        if (node === 0) columns[plan.tensorValues[1] as number]?.fill(127)
      },
    })
    return scored(asked, Array.from(statement.output), proof)
  }

  function scored(asked: number[], tensor: number[], proof: Uint8Array): Scored {
    const input = encodeInput(compiled, asked)
    const tape = bytesToHex(tapeRoot(recordProof(decoded, { input, output: tensor }, proof).tape))
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
      zk: { card, proof, tape, request, response },
    }
  }
  return { card, weightsHash: circuitHashOf(decoded), manifest, score, forgeScore }
}
