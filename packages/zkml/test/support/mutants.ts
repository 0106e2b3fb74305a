/**
 * Mutants of honest proofs. Seven in eight change what the prover says before any column is opened, where each word has a
 * meaning of its own; the others change any byte, of which most are opened columns and Merkle paths, all checked alike.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { Architecture } from '../../src/circuit/architecture.ts'
import { encodeInput } from '../../src/circuit/encoding.ts'
import { type ArchitectureDraft, type Model, makeModel } from '../../src/circuit/model.ts'
import type { Statement } from '../../src/circuit/statement.ts'
import { compileOnnx } from '../../src/compiler/compileOnnx.ts'
import { ZkmlError } from '../../src/errors.ts'
import { P } from '../../src/field/babyBear.ts'
import { createWorkspace } from '../../src/kernels/wasmKernels.ts'
import { commitModel, proveInference } from '../../src/prover/prove.ts'
import { verifyProof } from '../../src/verifier/verify.ts'
import { randomInput, randomParameters } from './models.ts'

/** An honest proof and what it proves. */
export type Subject = {
  name: string
  architecture: Architecture
  statement: Statement
  proof: Uint8Array
}

/** What became of the mutants of one proof. */
export type Tally = { mutants: number; malformed: number; invalid: number }

const FINE = { multiplier: 1, shift: 3, zeroPoint: 0, low: -128, high: 127 }
const RELU = { multiplier: 1, shift: 3, zeroPoint: -128, low: -128, high: 127 }
const WINDOW = { height: 2, width: 2, strideY: 1, strideX: 1 }
const NONE = { top: 0, left: 0, bottom: 0, right: 0 }

type Tiny = { name: string; draft: ArchitectureDraft; sides: ([units: number, patch: number] | null)[] }

/** Every kind of node, in circuits that verify in a few milliseconds. */
const TINY: readonly Tiny[] = [
  {
    name: 'dense',
    draft: {
      input: { channels: 3, height: 1, width: 1, zeroPoint: 1 },
      nodes: [
        { op: 'dense', input: 0, units: 2, requantise: RELU },
        { op: 'dense', input: 1, units: 2, requantise: null },
      ],
    },
    sides: [
      [2, 3],
      [2, 2],
    ],
  },
  {
    name: 'convolution, max-pooled',
    draft: {
      input: { channels: 1, height: 3, width: 3, zeroPoint: 1 },
      nodes: [
        { op: 'conv2d', input: 0, channels: 2, window: WINDOW, padding: NONE, requantise: RELU },
        { op: 'maxPool', input: 1, window: WINDOW },
        { op: 'dense', input: 2, units: 2, requantise: null },
      ],
    },
    sides: [[2, 4], null, [2, 2]],
  },
  {
    name: 'average, combination',
    draft: {
      input: { channels: 2, height: 2, width: 2, zeroPoint: -3 },
      nodes: [
        { op: 'sumPool', input: 0, window: WINDOW, requantise: FINE },
        {
          op: 'combine',
          terms: [
            { input: 0, multiplier: 5 },
            { input: 1, multiplier: -7 },
          ],
          requantise: FINE,
        },
        { op: 'dense', input: 2, units: 2, requantise: null },
      ],
    },
    sides: [null, null, [2, 8]],
  },
  {
    name: 'map, contraction',
    draft: {
      input: { channels: 2, height: 1, width: 1, zeroPoint: 2 },
      nodes: [
        { op: 'map', input: 0, zeroPoint: 0, values: Array.from({ length: 256 }, (_, at) => 127 - at) },
        {
          op: 'contract',
          groups: 1,
          left: { input: 1, indices: [0, 1, 0, 0] },
          right: { input: 1, indices: [0, 1, 0, 0] },
          output: [0, 1, 0, 0],
          requantise: { ...FINE, shift: 7 },
        },
        { op: 'dense', input: 2, units: 2, requantise: null },
      ],
    },
    sides: [null, null, [2, 2]],
  },
]

/** Each proof is of another statement, drawn from the seed. */
export function tinySubjects(seed: number): Subject[] {
  return TINY.map(({ name, draft, sides }) => {
    const { channels, height, width } = draft.input
    const model = makeModel(draft, small(seed, sides))
    return subject(name, model, randomInput(seed, channels * height * width))
  })
}

/** Weights so small that the tables of targets stay small. */
const small: typeof randomParameters = (seed, sides) =>
  randomParameters(seed, sides).map(
    (own) =>
      own && { weights: own.weights.map((weight) => weight >> 4), bias: own.bias.map((bias) => bias >> 8) },
  )

const FULL_SIZE = [
  ['digits-mlp-100k', 'digits'],
  ['digits-cnn-267k', 'digits'],
  ['digits-transformer-9k', 'digits'],
] as const

/** The trained models of the repository. */
export function fullSizeSubjects(seed: number): Subject[] {
  const folder = new URL('../../models/', import.meta.url)
  return FULL_SIZE.map(([name, dataName]) => {
    const { calibrate, inputs } = JSON.parse(readFileSync(new URL(`${dataName}.json`, folder), 'utf8')) as {
      calibrate: number[][]
      inputs: number[][]
    }
    const { compiled } = compileOnnx(readFileSync(new URL(`${name}.onnx`, folder)), calibrate.slice(0, 64))
    const chosen = inputs[seed % inputs.length] as number[]
    return subject(name, compiled.model, encodeInput(compiled, chosen))
  })
}

function subject(name: string, model: Model, input: readonly number[]): Subject {
  const committed = commitModel(createWorkspace(), model)
  const { output, proof } = proveInference(committed, input)
  const statement = { weightsRoot: committed.commitment.root, input, output }
  return { name, architecture: model.plan.architecture, statement, proof }
}

type Draw = (low: number, high: number) => number

/** One to four edits: a bit, a byte, a word, one below p for another, a block moved, a block repeated, a tail cut or added. */
function mutate({ proof }: Subject, draw: Draw): Uint8Array {
  let bytes = proof.slice()
  // What is spoken is about the first quarter of a proof; the rest are opened columns and their paths.
  const reach = draw(0, 7) > 0 ? Math.floor(proof.length / 4) : proof.length
  for (let edits = draw(1, 4); edits > 0; edits--) {
    const at = draw(0, Math.min(reach, bytes.length) - 1)
    const kind = draw(0, 15)
    if (kind < 4) bytes[at] = (bytes[at] as number) ^ (1 << draw(0, 7))
    else if (kind < 6) bytes[at] = draw(0, 255)
    else if (kind < 10) writeWord(bytes, at, draw(0, P - 1))
    else if (kind < 11) bytes.fill(255 * draw(0, 1), at, at + 4)
    else if (kind < 13) bytes.copyWithin(at, draw(0, bytes.length - 1), draw(0, bytes.length - 1))
    else if (kind < 14) bytes.copyWithin(at, at - Math.min(at, 20), at)
    else if (kind < 15) bytes = bytes.subarray(0, Math.max(1, bytes.length - draw(1, 64)))
    else bytes = Buffer.concat([bytes, Uint8Array.of(draw(0, 255))])
  }
  return bytes
}

function writeWord(bytes: Uint8Array, at: number, value: number): void {
  const aligned = at - (at % 4)
  if (aligned + 4 <= bytes.length)
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(aligned, value, true)
}

/** Mutants of a proof, none of which is the proof. */
export function* mutantsOf(subject: Subject, count: number, seed: number): Generator<Uint8Array> {
  const draw = xorshift(seed)
  for (let made = 0; made < count; ) {
    const mutant = mutate(subject, draw)
    if (Buffer.compare(mutant, subject.proof) === 0) continue
    made++
    yield mutant
  }
}

/** Verifies `count` mutants of a proof. @throws AssertionError naming the first that is accepted, or fails otherwise */
export function refuseMutants(subject: Subject, count: number, seed: number): Tally {
  const tally: Tally = { mutants: 0, malformed: 0, invalid: 0 }
  verifyProof(subject.architecture, subject.statement, subject.proof)
  for (const mutant of mutantsOf(subject, count, seed)) {
    tally.mutants++
    const code = refusalOf(subject, mutant)
    if (code === 'malformed_proof') tally.malformed++
    else if (code === 'invalid_proof') tally.invalid++
    else assert.fail(`${subject.name}, seed ${seed}, mutant ${tally.mutants}: ${code ?? 'accepted'}`)
  }
  return tally
}

export function refusalOf({ architecture, statement }: Subject, proof: Uint8Array): string | undefined {
  try {
    verifyProof(architecture, statement, proof)
    return undefined
  } catch (error) {
    return error instanceof ZkmlError ? error.code : String(error)
  }
}

/** Marsaglia's xorshift32: fast, and a run repeats from its seed. */
function xorshift(seed: number): Draw {
  let state = seed >>> 0 || 1
  return (low, high) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return low + ((state >>> 0) % (high - low + 1))
  }
}
