/**
 * Writes test/ZkVectors.sol: a false answer of the development network's scorer of card payments and an honest one, with the
 * step of each check that a contract is shown, as the prover and the recorder of packages/zkml give them.
 *   npm run vectors --workspace contracts
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type FalseStep, readInferAnswer, readInferRequest } from '@assay/protocol'
import { falseInference } from '@assay/verify'
import {
  decodeModelCard,
  encodeInput,
  recordProof,
  rootOf,
  type ShownRun,
  showStep,
  wordTree,
} from '@assay/zkml'
import { bytesToHex, encodeAbiParameters, type Hex, parseAbiParameters } from 'viem'
import { paymentScorer, type Scored } from '../../test/scoredPayment.ts'

export const vectorsPath = join(import.meta.dirname, '../test/ZkVectors.sol')

/** Solidity's `Told` of test/ZkFixture.sol. */
const TOLD = parseAbiParameters([
  'Told told',
  'struct Told { bytes32 evidenceHash; bytes32 tapeRoot; bytes32 modelRoot; bytes32 weightsRoot; bytes32 programRoot; uint32 gates; uint32 gate; WordRun shownGate; WordRun shownValue; WordRun[] reads; }',
  'struct WordRun { bytes32[] words; bytes32[] siblings; }',
])

const told = ({ receipt, zk }: Scored, step: FalseStep): Hex =>
  encodeAbiParameters(TOLD, [{ evidenceHash: receipt.evidenceHash, tapeRoot: zk.tape, ...step }])

/** The step of an honest check that stands where the false one does in another. */
function sameStep({ zk }: Scored, lie: FalseStep): FalseStep {
  const card = decodeModelCard(zk.card)
  const input = encodeInput(card, readInferRequest(zk.request.body).input)
  const output = readInferAnswer(zk.response.body).tensor
  const recorded = recordProof(card, { input, output }, zk.proof)
  const tape = wordTree(recorded.tape)
  if (bytesToHex(rootOf(tape)) !== zk.tape || recorded.violated.length > 0) throw new Error('no honest check')
  const step = showStep(wordTree(recorded.program), tape, lie.gate)
  const inHex = ({ words, siblings }: ShownRun) => ({
    words: Array.from({ length: words.length / 32 }, (_, at) =>
      bytesToHex(words.subarray(32 * at, 32 * at + 32)),
    ),
    siblings: siblings.map((sibling) => bytesToHex(sibling)),
  })
  return {
    ...lie,
    shownGate: inHex(step.shownGate),
    shownValue: inHex(step.shownValue),
    reads: step.reads.map(inHex),
  }
}

/** What the file holds. */
export function zkVectors(): string {
  const { score, weightsHash } = paymentScorer()
  const [honest, shifted] = [score(0), score(1, 1)]
  const { receipt, zk } = shifted
  const lie = falseInference({ receipt, zk } as Parameters<typeof falseInference>[0], weightsHash)
  if (lie === undefined || lie === 'hidden') throw new Error('The answer that was shifted by one holds.')
  const bytes = (name: string, value: Hex) =>
    `    bytes internal constant ${name} =\n        hex"${value.slice(2)}";\n`
  return `// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice A step of two checks of proofs of the payments scorer, \`Told\` of ZkFixture.sol. Written by scripts/zkVectors.ts;
/// never edit it by hand.
library ZkVectors {
    /// @dev What the registry holds as the model's weights.
    bytes32 internal constant CIRCUIT = ${weightsHash};
    /// @dev An answer off by one, and the first gate that does not hold; then the same gate of an honest answer.
${bytes('FALSE', told(shifted, lie))}
${bytes('HONEST', told(honest, sameStep(honest, lie)))}}
`
}

if (import.meta.main) writeFileSync(vectorsPath, zkVectors())
