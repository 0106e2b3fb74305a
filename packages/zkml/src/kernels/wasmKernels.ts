/**
 * The kernels in WebAssembly. Lengths that are no whole number of vectors go to the TypeScript kernels: they are the
 * last rounds of a sumcheck, a few elements each.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ZkmlError } from '../errors.ts'
import { Arena } from './arena.ts'
import type { Kernels } from './kernels.ts'
import { scalarKernels } from './scalarKernels.ts'
import { Workspace } from './workspace.ts'

const MODULE = fileURLToPath(new URL('../../kernels/build/kernels.wasm', import.meta.url))

/** Elements of a vector register. */
const LANES = 4

type Exports = Omit<Kernels, 'dotRowsInt8'> & {
  dotRowsInt8(
    matrix: number,
    rows: number,
    columns: number,
    weights: number,
    out: number,
    limbs: number,
  ): void
}

/** @throws ZkmlError kernels_missing */
function readModule(): WebAssembly.Module {
  try {
    return new WebAssembly.Module(readFileSync(MODULE))
  } catch (cause) {
    throw new ZkmlError(
      'kernels_missing',
      'The WebAssembly kernels are not built.',
      { file: MODULE, cause: cause instanceof Error ? cause.message : String(cause) },
      'npm run build -w @assay/zkml',
    )
  }
}

let compiled: WebAssembly.Module | undefined

/** A workspace on the compiled kernels, with a memory of its own. @throws ZkmlError kernels_missing */
export function createWorkspace(): Workspace {
  compiled ??= readModule()
  const memory = new WebAssembly.Memory({ initial: 64, maximum: 65_536 })
  const { exports } = new WebAssembly.Instance(compiled, { env: { memory } })
  const arena = new Arena(memory)
  return new Workspace(wasmKernels(exports as unknown as Exports, arena), arena)
}

function wasmKernels(wasm: Exports, arena: Arena): Kernels {
  const scalar = scalarKernels(arena.memory)
  const fits = (n: number) => n % LANES === 0
  const halvesFit = (n: number) => n % (2 * LANES) === 0
  const zero = (pointer: number, words: number) => arena.view(pointer, words).fill(0)
  return {
    expandEq(out, stride, from, variables, point) {
      // A table of fewer than four elements doubles in TypeScript until it fills a register.
      const first = Math.max(from, Math.min(2, variables))
      scalar.expandEq(out, stride, from, first, point)
      wasm.expandEq(out, stride, first, variables, point + 20 * (first - from))
    },
    addVector(a, strideA, b, strideB, n) {
      const kernels = fits(n) ? wasm : scalar
      kernels.addVector(a, strideA, b, strideB, n)
    },
    foldRowsInt8(matrix, rows, columns, weights, out) {
      if (!fits(columns)) return scalar.foldRowsInt8(matrix, rows, columns, weights, out)
      zero(out, 5 * columns)
      wasm.foldRowsInt8(matrix, rows, columns, weights, out)
    },
    dotRowsInt8(matrix, rows, columns, weights, out) {
      if (columns % 8 !== 0) return scalar.dotRowsInt8(matrix, rows, columns, weights, out)
      zero(out, 5 * rows)
      const mark = arena.mark()
      wasm.dotRowsInt8(matrix, rows, columns, weights, out, arena.allocate(20 * columns))
      arena.release(mark)
    },
    foldRowsWords(matrix, rows, columns, weights, out) {
      if (!fits(columns)) return scalar.foldRowsWords(matrix, rows, columns, weights, out)
      zero(out, 5 * columns)
      wasm.foldRowsWords(matrix, rows, columns, weights, out)
    },
    dotWords(column, n, weights, stride, out) {
      const kernels = fits(n) ? wasm : scalar
      kernels.dotWords(column, n, weights, stride, out)
    },
    encodeRows: wasm.encodeRows,
    hashLeaves: wasm.hashLeaves,
    hashNodes(hashes, count, out) {
      const kernels = count % 2 === 0 ? wasm : scalar
      kernels.hashNodes(hashes, count, out)
    },
    lookupLeaves(first, second, n, base, beta, out, stride) {
      const kernels = fits(n) ? wasm : scalar
      kernels.lookupLeaves(first, second, n, base, beta, out, stride)
    },
    toMontgomery(words, n, out) {
      const kernels = fits(n) ? wasm : scalar
      kernels.toMontgomery(words, n, out)
    },
    joinFractions(p, q, n, outP, outQ) {
      const kernels = halvesFit(n) ? wasm : scalar
      kernels.joinFractions(p, q, n, outP, outQ)
    },
    fractionRound(p0, p1, q0, q1, stride, n, weights, weightsStride, lambda, out) {
      const kernels = halvesFit(n) ? wasm : scalar
      kernels.fractionRound(p0, p1, q0, q1, stride, n, weights, weightsStride, lambda, out)
    },
    foldHalves(vector, stride, n, challenge) {
      const kernels = halvesFit(n) ? wasm : scalar
      kernels.foldHalves(vector, stride, n, challenge)
    },
    addHalves(vector, stride, n) {
      const kernels = halvesFit(n) ? wasm : scalar
      kernels.addHalves(vector, stride, n)
    },
    productRound(a, strideA, b, strideB, n, out) {
      const kernels = halvesFit(n) ? wasm : scalar
      kernels.productRound(a, strideA, b, strideB, n, out)
    },
    productRoundWords(a, b, strideB, n, out) {
      const kernels = halvesFit(n) ? wasm : scalar
      kernels.productRoundWords(a, b, strideB, n, out)
    },
    foldWords(words, n, challenge, out, stride) {
      const kernels = halvesFit(n) ? wasm : scalar
      kernels.foldWords(words, n, challenge, out, stride)
    },
  }
}
