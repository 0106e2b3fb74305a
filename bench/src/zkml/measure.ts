import { number, quantile } from '../table.ts'

export type Timing = { clock: number; processor: number }

/** Medians of several runs, milliseconds. */
export function measure(runs: number, run: (at: number) => void): Timing {
  const clock: number[] = []
  const processor: number[] = []
  for (let at = 0; at < runs; at++) {
    const [start, used] = [performance.now(), process.cpuUsage()]
    run(at)
    const { user, system } = process.cpuUsage(used)
    clock.push(performance.now() - start)
    processor.push((user + system) / 1000)
  }
  const median = (values: number[]) =>
    quantile(
      values.sort((a, b) => a - b),
      0.5,
    )
  return { clock: median(clock), processor: median(processor) }
}

export const milliseconds = ({ clock, processor }: Timing) => `${number(clock, 1)} (${number(processor, 1)})`
