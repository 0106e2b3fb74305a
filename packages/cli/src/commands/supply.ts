import { type BucketView, publicClientOf, readSupply, type SupplyReport } from '@assay/chain'
import { formatOpg } from '@assay/protocol'
import type { Command } from 'commander'
import { networkFor } from '../home.ts'
import { table, toJsonText } from '../output.ts'
import type { CommandContext } from '../program.ts'

export function registerSupply(program: Command, context: CommandContext): void {
  program
    .command('supply')
    .description('How much OPG there is, what circulates, and what of each bucket is vested.')
    .option('--network <file>', 'network.json of another network')
    .option('--json', 'print JSON')
    .action(async (options: { network?: string; json?: true }) => {
      const network = networkFor(options.network)
      const supply = await readSupply(publicClientOf(network), network)
      if (options.json === true) {
        context.output.out(toJsonText({ ...supply, unit: 'OPG base units (10^-18 OPG)' }))
      } else context.output.out(describe(supply))
    })
}

function describe(supply: SupplyReport): string {
  const of = (amount: bigint) => `${formatOpg(amount)}  ${percent(amount, supply.total)}`
  const whole = table([
    ['total', formatOpg(supply.total)],
    ['unvested', of(supply.unvested)],
    ['reserves', of(supply.reserves)],
    ['circulating', of(supply.circulating)],
  ])
  const apart = table([
    ['vested, unreleased', of(supply.unreleased)],
    ['staked', of(supply.staked)],
    ['bonded by nodes', of(supply.bonded)],
    ['in escrow', of(supply.escrowed)],
    ['prepaid under grants', of(supply.prepaid)],
  ])
  const buckets = table(supply.buckets.map((bucket) => [bucket.name, describeBucket(bucket)] as const))
  return `${whole}\nOf what circulates:\n${apart}\nBuckets:\n${buckets}`
}

function describeBucket({ total, atTge, vested, schedule }: BucketView): string {
  const free = atTge + vested
  const day = (time: bigint) => new Date(Number(time) * 1000).toISOString().slice(0, 16).replace('T', ' ')
  const line = schedule === null ? '' : `, linear ${day(schedule.start)} to ${day(schedule.end)} UTC`
  return `${formatOpg(total)}, ${percent(free, total)} vested${line}`
}

function percent(part: bigint, whole: bigint): string {
  if (whole === 0n) return '0%'
  return `${Number((part * 10_000n) / whole) / 100}%`
}
