/**
 * Int8 ranges of activations, measured on given data: for each tensor the range, among the measured one and ranges cut
 * shorter, that makes the smallest mean squared error of rounding and saturating together.
 */

import { type Range, valuesOf } from '../../circuit/encoding.ts'
import { ZkmlError } from '../../errors.ts'
import type { FloatGraph } from '../graph/floatGraph.ts'
import { runFloat } from './runFloat.ts'

const BINS = 2048
/** Shares of the measured range that are tried. */
const CUTS = Array.from({ length: 25 }, (_, at) => 1 - at * 0.03)
const MAX_SAMPLES = 100_000

type Histogram = { low: number; high: number; counts: Float64Array }

/** @throws ZkmlError bad_data */
export function checkSamples(graph: FloatGraph, samples: readonly ArrayLike<number>[]): void {
  const wanted = valuesOf(graph.input.shape)
  if (samples.length === 0 || samples.length > MAX_SAMPLES)
    throw new ZkmlError('bad_data', `there must be from 1 to ${MAX_SAMPLES} samples`, {
      samples: samples.length,
    })
  for (const [at, sample] of samples.entries()) {
    if (sample.length !== wanted)
      throw new ZkmlError('bad_data', 'a sample has the wrong number of values', {
        sample: at,
        wanted,
        found: sample.length,
      })
    for (let i = 0; i < wanted; i++)
      if (!Number.isFinite(sample[i]))
        throw new ZkmlError('bad_data', 'a sample holds something that is no finite number', {
          sample: at,
          value: i,
        })
  }
}

/**
 * A range for every tensor, the input first. One that the model states itself stays.
 * @throws ZkmlError bad_data
 */
export function calibrate(
  graph: FloatGraph,
  samples: readonly ArrayLike<number>[],
  onSample: (done: number, total: number) => void = () => {},
): Range[] {
  checkSamples(graph, samples)
  const stated = [graph.input.range, ...graph.nodes.map(({ range }) => range)]
  const bounds = stated.map(() => ({ low: 0, high: 0 }))
  let done = 0
  const eachRun = (visit: (tensor: Float64Array, at: number) => void) => {
    for (const sample of samples) {
      for (const [at, tensor] of runFloat(graph, sample).entries()) visit(tensor, at)
      onSample(++done, 2 * samples.length)
    }
  }
  // The range holds zero, so that a border and an absent value are exact.
  eachRun((tensor, at) => {
    const bound = bounds[at] as { low: number; high: number }
    for (const x of tensor) {
      if (!Number.isFinite(x))
        throw new ZkmlError(
          'cannot_compile',
          `node ${graph.nodes[at - 1]?.name ?? graph.input.name} gives a value that is not finite`,
          { value: x },
          'clip its input to where the function is defined, or look at the calibration data',
        )
      if (x < bound.low) bound.low = x
      if (x > bound.high) bound.high = x
    }
  })
  const histograms = bounds.map((bound): Histogram => ({ ...bound, counts: new Float64Array(BINS) }))
  eachRun((tensor, at) => {
    const { low, high, counts } = histograms[at] as Histogram
    const width = (high - low) / BINS || 1
    for (const x of tensor) {
      const bin = Math.min(BINS - 1, Math.floor((x - low) / width))
      counts[bin] = (counts[bin] as number) + 1
    }
  })
  return histograms.map((histogram, at) => stated[at] ?? bestRange(histogram))
}

/** An asymmetric range of 255 steps over [low, high], which holds zero. */
function rangeOver(low: number, high: number): Range {
  const scale = (high - low) / 255 || 1 / 255
  // Rounding can give −0, which is no integer of a file: adding 0 makes it 0.
  return { scale, zeroPoint: Math.min(127, Math.max(-128, Math.round(-128 - low / scale))) + 0 }
}

function bestRange(histogram: Histogram): Range {
  let best = { range: rangeOver(histogram.low, histogram.high), error: Number.POSITIVE_INFINITY }
  for (const cut of CUTS) {
    const range = rangeOver(cut * histogram.low, cut * histogram.high)
    const error = squaredError(histogram, range)
    if (error < best.error) best = { range, error }
  }
  return best.range
}

/** Rounding costs scale²/12 a value inside the range; outside, the distance to it squared. */
function squaredError({ low, high, counts }: Histogram, { scale, zeroPoint }: Range): number {
  const width = (high - low) / BINS
  const [least, most] = [scale * (-128 - zeroPoint), scale * (127 - zeroPoint)]
  let error = 0
  for (let bin = 0; bin < BINS; bin++) {
    const x = low + (bin + 0.5) * width
    const outside = Math.max(0, x - most, least - x)
    error += (counts[bin] as number) * (outside > 0 ? outside ** 2 : scale ** 2 / 12)
  }
  return error
}
