/**
 * The verifier of proofs that hide (docs/zkml.md, "Proofs that hide"). It holds no prover code and reads every byte once.
 * What was said is uniform; that it is what an honest prover says, under pads committed to before, is shown by one inner
 * product with the pads.
 */
import type { Architecture } from '../circuit/architecture.ts'
import { verifyCombination } from '../commitment/verifyOpening.ts'
import type { Soundness } from '../soundness/soundness.ts'
import type { Transcript } from '../transcript/transcript.ts'
import type { StatementHashes } from '../verifier/verify.ts'
import { combineConstraints, committedCount } from './constraints.ts'
import { hear } from './conversation.ts'
import { padShape } from './padShape.ts'
import { veiledSoundness } from './soundness.ts'
import {
  checkVeiledStatement,
  isHidden,
  type VeiledCircuit,
  type VeiledStatement,
  veilCircuit,
  veiledHashes,
  veiledTranscript,
} from './statement.ts'
import { countsOf, Trace } from './trace.ts'
import { VeiledReader } from './veiledReader.ts'
import { verifyPads } from './verifyPads.ts'

/** What a valid proof shows, hiding weights and intermediate values from whoever has only proofs. */
export type VerifiedZk = StatementHashes & {
  kind: 'zk'
  /** Whether `inputHash` is the root of the input's commitment, and the input hidden too. */
  hidesInput: boolean
  soundness: Soundness
}

/**
 * Verifies that the model with this architecture and these hidden weights on `input` gave `output`.
 * @throws ZkmlError bad_architecture, bad_input, malformed_proof or invalid_proof
 */
export function verifyVeiledProof(
  architecture: Architecture,
  statement: VeiledStatement,
  proof: Uint8Array,
): VerifiedZk {
  const hidesInput = isHidden(statement.input)
  const circuit = veilCircuit(architecture, statement.proofs, hidesInput)
  checkVeiledStatement(circuit, statement)
  const soundness = checkVeiledProof(circuit, statement, proof, veiledTranscript(circuit, statement))
  return { kind: 'zk', hidesInput, ...veiledHashes(circuit, statement), soundness }
}

/** Every step of the protocol, on a transcript that stands behind the statement. @throws ZkmlError */
export function checkVeiledProof(
  circuit: VeiledCircuit,
  statement: VeiledStatement,
  proof: Uint8Array,
  transcript: Transcript,
): Soundness {
  const trace = new Trace()
  const reader = new VeiledReader(proof, transcript, trace)
  const heard = hear(reader, trace, circuit, statement)

  reader.late('pads/late', trace.late.length)
  const factor = transcript.challenge('pads/factor')
  const shown = reader.clear('pads/shown', 2 * trace.products.length)
  const challenge = transcript.challenge('pads/constraints')
  const combined = combineConstraints(trace, { padded: reader.padded, factor, shown }, challenge)

  const counts = countsOf(trace)
  const shape = padShape(committedCount(counts))
  const checkPads = verifyPads(reader, { shape, root: heard.padsRoot }, combined)
  for (const { committed, weights, row } of heard.rows) verifyCombination(reader, committed, weights, row)
  checkPads()
  reader.end()
  return veiledSoundness(circuit, counts, shape)
}
