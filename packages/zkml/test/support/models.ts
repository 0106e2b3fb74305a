import { type ArchitectureDraft, type Model, makeModel, type Parameters } from '../../src/circuit/model.ts'
import { Arena } from '../../src/kernels/arena.ts'
import { scalarKernels } from '../../src/kernels/scalarKernels.ts'
import { Workspace } from '../../src/kernels/workspace.ts'

/** A reproducible source of integers: a 48-bit linear congruential generator, low bits dropped. */
export function randomIntegers(seed: number): (low: number, high: number) => number {
  let state = BigInt(seed)
  return (low, high) => {
    state = (state * 25_214_903_917n + 11n) % 2n ** 48n
    return low + Number((state >> 16n) % BigInt(high - low + 1))
  }
}

export const RELU = { multiplier: 37, shift: 14, zeroPoint: -128, low: -128, high: 127 }

/** `patch` and `units` of every node, null where a node has no weights. */
export function randomParameters(
  seed: number,
  sides: readonly (readonly [units: number, patch: number] | null)[],
): (Parameters | undefined)[] {
  const random = randomIntegers(seed)
  return sides.map((pair) => {
    if (pair === null) return undefined
    const [units, patch] = pair
    return {
      weights: Int8Array.from({ length: units * patch }, () => random(-127, 127)),
      bias: Int32Array.from({ length: units }, () => random(-20_000, 20_000)),
    }
  })
}

export function randomInput(seed: number, size: number): number[] {
  const random = randomIntegers(seed)
  return Array.from({ length: size }, () => random(-128, 127))
}

/** A small multilayer perceptron with accumulators as its output. */
export function smallPerceptron(seed = 7, layers: readonly number[] = [12, 20, 9, 5]): Model {
  const draft: ArchitectureDraft = {
    input: { channels: layers[0] as number, height: 1, width: 1, zeroPoint: 3 },
    nodes: layers.slice(1).map((units, input) => {
      return { op: 'dense', input, units, requantise: input === layers.length - 2 ? null : RELU }
    }),
  }
  const sides = layers.slice(1).map((units, input) => [units, layers[input] as number] as const)
  return makeModel(draft, randomParameters(seed, sides))
}

export function scalarWorkspace(): Workspace {
  const memory = new WebAssembly.Memory({ initial: 16 })
  return new Workspace(scalarKernels(memory), new Arena(memory))
}
