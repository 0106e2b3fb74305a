import {
  AssayError,
  type BatchEntry,
  type FalseInference,
  MODE,
  readInferAnswer,
  readInferRequest,
  zkEvidenceHash,
} from '@assay/protocol'
import {
  decodeModelCard,
  encodeInput,
  falseLayer,
  prefixBytes,
  tensorHash,
  ZkmlError,
} from '@assay/zkml/verifier'
import { bytesToHex } from 'viem'
import { same } from './step.ts'

/**
 * Where the proof beside a receipt of mode zk fails, if in one of the first steps, which a contract replays (class 2), and
 * if its bodies give the statement that the receipt was signed for. Everything else that `proofHolds` refuses is undefined.
 */
export function falseInference({ receipt, zk }: BatchEntry): FalseInference | undefined {
  if (receipt.mode !== MODE.zk || zk === undefined) return undefined
  try {
    const card = decodeModelCard(zk.card)
    const hashes = {
      modelRoot: card.modelRoot,
      inputHash: tensorHash(encodeInput(card, readInferRequest(zk.request.body).input)),
      outputHash: tensorHash(readInferAnswer(zk.response.body).tensor),
    }
    const statement = {
      modelRoot: bytesToHex(hashes.modelRoot),
      inputHash: bytesToHex(hashes.inputHash),
      outputHash: bytesToHex(hashes.outputHash),
    }
    if (!same(zkEvidenceHash(statement), receipt.evidenceHash)) return undefined
    const layer = falseLayer(hashes, zk.proof)
    return layer === undefined ? undefined : { ...statement, layer, read: prefixBytes(layer) }
  } catch (error) {
    if (error instanceof AssayError || error instanceof ZkmlError) return undefined
    throw error
  }
}
