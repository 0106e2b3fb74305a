/** Runs what `npm run bench:peers` installed, each in a process of its own. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Timing } from './measure.ts'

const root = path.resolve(import.meta.dirname, '../../..')
const peers = path.join(root, 'bench', 'peers')
const python = path.join(peers, '.venv', 'bin', 'python')
const noir = path.join(peers, 'noir')
/** Reference strings and circuits, kept between runs: gigabytes. */
const work = path.join(root, '.assay', 'bench-peers')
/** EZKL's largest proof here takes minutes, and its reference string as long again the first time. */
const TIMEOUT_MS = 7_200_000

export type ProofCost = {
  prove: Timing
  verify: Timing
  verified: boolean
  bytes: number
}
export type PythonResult = {
  versions: { ezkl: string; onnxruntime: string }
  onnxruntime: { float32: Timing; int8: Timing; output: number[] }
  ezkl?: ProofCost & { setup: Timing; memory: number; output: number[] }
}
/** `ceremony`: whether its reference string is the one that its verifier has built in. */
export type NoirResult = ProofCost & { ceremony: boolean }

export const pythonIsHere = existsSync(python)
export const noirIsHere = existsSync(path.join(noir, 'node_modules', '@aztec', 'bb.js'))

/** EZKL's shape of a circuit: so many columns of 2^logrows. */
export type EzklShape = { columns: number; logrows: number }

type Job = { name: string; onnx: string; calibrate: number[][]; input: number[]; ezkl: EzklShape | null }

/** Of a CNN: channels of both convolutions, neurons of the hidden layer, pixels of a side. */
export type CnnShape = { first: number; second: number; hidden: number; side: number }

/** A CNN smaller than the digits', made once. @returns the file, and inputs for it */
export function makeCnn(
  name: string,
  { first, second, hidden, side }: CnnShape,
): { onnx: string; data: string } {
  const [onnx, data] = [path.join(work, `${name}.onnx`), path.join(work, `${name}-data.json`)]
  if (!existsSync(data)) {
    mkdirSync(work, { recursive: true })
    const sizes = [first, second, hidden, side].map(String)
    runProgram(python, [path.join(peers, 'makeCnn.py'), onnx, data, ...sizes])
  }
  return { onnx, data }
}

export function runPython({ name, ...job }: Job): PythonResult {
  return runJob(name, { ...job, folder: path.join(work, name) }, python, path.join(peers, 'measure.py'))
}

export function runNoir(name: string, job: { source: string; x: number[]; y: number[] }): NoirResult {
  const ceremony = process.env.CRS_PATH
  const srs = ceremony ?? localSrs()
  const result = runJob<ProofCost>(
    `${name}-noir`,
    { ...job, srs },
    process.execPath,
    path.join(noir, 'prove.mjs'),
  )
  return { ...result, ceremony: ceremony !== undefined }
}

function runJob<Result>(name: string, job: object, command: string, program: string): Result {
  mkdirSync(path.join(work, name), { recursive: true })
  const file = path.join(work, `${name}.json`)
  writeFileSync(file, JSON.stringify(job))
  const stdout = runProgram(command, [program, file])
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Result
}

function runProgram(command: string, args: readonly string[]): string {
  const { stdout, stderr, status } = spawnSync(command, args, {
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    maxBuffer: 2 ** 26,
  })
  if (status !== 0) throw new Error(`${args.join(' ')} ended with ${status}:\n${stderr.slice(-2000)}`)
  return stdout
}

/** BN254's base field. */
const Q = 21888242871839275222246405745257275088696311157297823662689037894645226208583n
/** 2^256 modulo Q, inverted: coordinates in EZKL's file are in Montgomery form. */
const R_INVERSE = 20988524275117001072002809824448087578619730785600314334253784976379291040311n
const SRS_LOGROWS = 17

/**
 * The ceremony's reference string cannot be fetched everywhere, so the one that EZKL has made stands in, rewritten in
 * Barretenberg's form. Proving costs the same; verification ends in a pairing that fails, its verifier having the ceremony's
 * point built in.
 */
function localSrs(): string {
  const folder = path.join(work, 'srs')
  const g1 = path.join(folder, 'bn254_g1.dat')
  if (existsSync(g1)) return folder
  const made = path.join(work, `kzg${SRS_LOGROWS}.srs`)
  if (!existsSync(made)) {
    const program =
      'import ezkl, os, sys; ezkl.gen_srs(sys.argv[1] + ".part", int(sys.argv[2])); os.rename(sys.argv[1] + ".part", sys.argv[1])'
    runProgram(python, ['-c', program, made, String(SRS_LOGROWS)])
  }
  const file = readFileSync(made)
  const points = 2 ** SRS_LOGROWS
  const coordinate = (at: number) => {
    const limbs = [3, 2, 1, 0].map((limb) => file.readBigUInt64LE(at + 8 * limb))
    const plain = (limbs.reduce((sum, limb) => (sum << 64n) | limb, 0n) * R_INVERSE) % Q
    return Buffer.from(plain.toString(16).padStart(64, '0'), 'hex')
  }
  const many = (from: number, count: number) =>
    Buffer.concat(Array.from({ length: count }, (_, at) => coordinate(from + 32 * at)))
  mkdirSync(folder, { recursive: true })
  // Behind the size and two lists of points, one of them in Lagrange's basis, stand the generator and its multiple by τ.
  writeFileSync(path.join(folder, 'bn254_g2.dat'), many(4 + 128 * points + 128, 4))
  writeFileSync(g1, many(4, 2 * points))
  return folder
}
