import { number, printTable } from '../table.ts'
import { KINDS, type Kind } from './calls.ts'
import { type Latency, latencyOf, type Times } from './measure.ts'
import type { Row, Upstreams } from './rows.ts'

/** Who is looked at in turns with every row: the upstreams alone, and the peer. */
export type Look = Record<keyof Upstreams | 'portkey', Record<Kind, Times>>
/** Processor time is in seconds a call, memory in MiB. */
export type Measured = {
  row: Row
  times: Record<Kind, Times[]>
  cpu: Record<Kind, number>
  memory: number
  looks: Look[]
}

/** Milliseconds at p50. */
type Added = { whole: number; first: number }

/**
 * Prints what each row adds over its own upstream, and of what Portkey adds over its, both as they were in turns with it.
 */
export function printReport(measured: readonly Measured[], calls: number): void {
  const looks = measured.flatMap((one) => one.looks)
  const alone = (of: readonly Look[], who: keyof Look, kind: Kind): Latency =>
    latencyOf(...of.map((look) => look[who][kind]))
  const over = (latency: Latency, base: Latency): Added => ({
    whole: latency.p50 - base.p50,
    first: latency.firstP50 - base.firstP50,
  })
  const addedBy = ({ row, times, looks: beside }: Measured, kind: Kind): Added => {
    const upstream = row.calls === 'paid' || row.calls === 'keyed' ? 'node' : 'stub'
    return over(latencyOf(...times[kind]), alone(beside, upstream, kind))
  }
  const addedByPortkey = ({ looks: beside }: Measured, kind: Kind): Added =>
    over(alone(beside, 'portkey', kind), alone(beside, 'stub', kind))
  const times = ({ p50, p99 }: Latency) => [number(p50, 2), number(p99, 2)]
  const without = measured.find(({ row }) => row.guarantees === 'off') as Measured

  const rows = KINDS.flatMap((kind) => [
    [`${kind}: the upstream alone`, ...times(alone(looks, 'stub', kind))],
    [`${kind}: the upstream that signs receipts, alone`, ...times(alone(looks, 'node', kind))],
    ...measured.map((one) => {
      const added = addedBy(one, kind)
      return [
        `${kind}: ${one.row.name}`,
        ...times(latencyOf(...one.times[kind])),
        number(added.whole, 2),
        number(added.first, 2),
        `${number(added.whole / addedByPortkey(one, kind).whole, 2)}×`,
        number(1 / one.cpu[kind]),
        number(one.memory),
      ]
    }),
  ])
  printTable(
    `Milliseconds per call, ${calls} calls one after another; added = over the same upstream alone`,
    ['call', 'p50', 'p99', 'added p50', 'added to first byte', 'vs portkey', 'calls/s a core', 'MiB'],
    rows,
  )
  console.log('\nFirst byte later than without the three guarantees, p50:')
  for (const kind of KINDS) {
    for (const one of measured.filter(({ row }) => row.guarantees === 'on')) {
      const later = addedBy(one, kind).first - addedBy(without, kind).first
      console.log(`  ${kind}, ${one.row.name}: ${number(later, 2)} ms`)
    }
  }
}
