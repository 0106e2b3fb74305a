import {
  type BatchEntry,
  cardHash,
  MODE,
  readInferAnswer,
  readInferRequest,
  requestHash,
  responseHash,
  zkEvidenceHash,
} from '@assay/protocol'
import {
  decodeModelCard,
  decodeOutput,
  encodeInput,
  inputSize,
  recordProof,
  tapeRoot,
  verifyProof,
  ZkmlError,
} from '@assay/zkml/verifier'
import { bytesToHex, zeroHash } from 'viem'
import type { ChainView } from '../chainView.ts'
import { circuitHashOf } from '../circuitHash.ts'
import { failed, type Outcome, passed, type Step, same, skipped, step } from '../step.ts'

/** How far the numbers of an answer may be from those that the proven integers stand for: other machines' exp. */
const RELATIVE_ERROR = 1e-9

/**
 * The proof behind a receipt of mode zk: the tensors are read from the very bodies that the receipt covers, and the proof
 * shows that the published model on this input gave this output.
 * @param entry with `zk`, where the proof is at hand
 */
export function proofHolds(entry: BatchEntry, view: Pick<ChainView, 'model'>): Promise<Step> {
  return step('proofHolds', () => {
    const { receipt, zk } = entry
    if (receipt.mode !== MODE.zk) return skipped('not_zk', 'The receipt is not of mode zk.')
    if (receipt.evidenceHash === zeroHash) return skipped('nothing_to_prove', 'Nothing was inferred.')
    if (zk === undefined) return skipped('proof_absent', 'The proof is not at hand.')
    if (!same(requestHash(zk.request), receipt.requestHash)) {
      return failed('proof_differs', 'The proof comes with another request than the one signed for.')
    }
    if (!same(responseHash(zk.response), receipt.responseHash)) {
      return failed('proof_differs', 'The proof comes with another answer than the one signed for.')
    }
    const model = view.model?.manifest
    if (model?.card === undefined) {
      return failed('model_unproven', 'The chain holds no manifest of this model that names a card.')
    }
    if (!same(cardHash(zk.card), model.card)) {
      return failed('proof_differs', 'The card beside the proof is not the model’s.')
    }
    try {
      return verifyStatement(zk, receipt.evidenceHash, view.model?.weightsHash)
    } catch (error) {
      if (!(error instanceof ZkmlError)) throw error
      return failed('proof_invalid', `The proof does not hold: ${error.shortMessage}.`)
    }
  })
}

function verifyStatement(
  { card: bytes, proof, tape, request, response }: NonNullable<BatchEntry['zk']>,
  evidenceHash: string,
  weightsHash: string | undefined,
): Outcome {
  const card = decodeModelCard(bytes)
  if (weightsHash === undefined || !same(circuitHashOf(card), weightsHash)) {
    return failed('model_unproven', 'The chain holds another model, or another program, than the card has.')
  }
  const asked = readInferRequest(request.body)
  const answer = readInferAnswer(response.body)
  if (asked.input.length !== inputSize(card)) {
    return failed(
      'proof_differs',
      `The model takes ${inputSize(card)} numbers, asked were ${asked.input.length}.`,
    )
  }
  const input = encodeInput(card, asked.input)
  const output = answer.tensor
  const { architecture, weightsRoot } = card
  const verified = verifyProof(architecture, { weightsRoot, input, output }, proof)
  const statement = {
    modelRoot: bytesToHex(verified.modelRoot),
    inputHash: bytesToHex(verified.inputHash),
    outputHash: bytesToHex(verified.outputHash),
  }
  if (!same(zkEvidenceHash(statement), evidenceHash)) {
    return failed('proof_differs', 'The receipt was signed for another model, input or output.')
  }
  if (!same(bytesToHex(tapeRoot(recordProof(card, { input, output }, proof).tape)), tape)) {
    return failed('proof_differs', 'The tape beside the proof is not that of its check.')
  }
  const numbers = decodeOutput(card, output)
  const close = (a: number, b: number) => Math.abs(a - b) <= RELATIVE_ERROR * Math.max(1, Math.abs(b))
  if (
    numbers.length !== answer.output.length ||
    !answer.output.every((x, at) => close(x, numbers[at] as number))
  ) {
    return failed(
      'proof_differs',
      'The numbers of the answer are not those that its proven integers stand for.',
    )
  }
  return passed(
    `The model on this input gives this output: proven, at ${Math.floor(verified.soundness.bits)} bits.`,
  )
}
