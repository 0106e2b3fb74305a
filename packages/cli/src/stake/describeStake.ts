import type { HolderStake, SlashRecord, ValidatorStake } from '@assay/chain'
import { formatOpg } from '@assay/protocol'
import type { Address } from 'viem'
import { printable, table } from '../output.ts'

type Network = {
  totalStake: bigint
  costOfCorruption: bigint
  holder: Address | null
  yours: readonly HolderStake[]
}

/** What `assay stake status` shows of a whole network. */
export function describeStakes(status: Network & { validators: readonly ValidatorStake[] }): string {
  const blocks = status.validators.map(
    (one) => `${one.validator}  ${one.status}  ${printable(one.url)}\n${table(stakeRows(one))}`,
  )
  return [network(status), ...blocks, yours(status)].join('\n')
}

/** What it shows of one validator: the same, and what it was slashed for. */
export function describeValidator(
  status: Network & {
    validator: ValidatorStake
    slashes: readonly SlashRecord[]
    slashesSince: bigint
  },
): string {
  const { validator, slashes, slashesSince } = status
  const history =
    slashes.length === 0
      ? `  never slashed since block ${slashesSince}\n`
      : table(
          slashes.map(({ blockNumber, taken, fraction, faultId }) => [
            `slashed in block ${blockNumber}`,
            `${formatOpg(taken)} (${percent(fraction, 10n ** 18n)}), fault ${faultId}`,
          ]),
        )
  const head = `${validator.validator}  ${validator.status}  ${printable(validator.url)}\n`
  return [network(status), `${head}${table(stakeRows(validator))}${history}`, yours(status)].join('\n')
}

function network({ totalStake, costOfCorruption }: Network): string {
  return table([
    ['stake on duty', formatOpg(totalStake)],
    ['cost of corruption', `${formatOpg(costOfCorruption)}: what a false final batch costs who signed it`],
  ])
}

function stakeRows(one: ValidatorStake): readonly (readonly [string, string])[] {
  const next =
    one.nextCommission === null
      ? ''
      : `, ${percent(BigInt(one.nextCommission.bps), 10_000n)} from epoch ${one.nextCommission.fromEpoch}`
  return [
    ['own bond', formatOpg(one.self)],
    ['delegated', formatOpg(one.delegated)],
    ['leaving, still slashable', formatOpg(one.leaving)],
    ['exposure this epoch', `${formatOpg(one.exposure)}: the most that its faults may cost`],
    [
      'open value',
      `${formatOpg(one.openExposure)} attested and not final, ${formatOpg(one.coverageLeft)} left`,
    ],
    ['commission', `${percent(BigInt(one.commissionBps), 10_000n)}${next}`],
    ...(one.openChallenges === 0n
      ? []
      : [['open challenges', `${one.openChallenges}: takes no deposits`] as const]),
    ...(one.status === 'jailed' ? [['jailed until', date(one.jailedUntil)] as const] : []),
  ]
}

function yours({ holder, yours: holdings }: Network): string {
  if (holder === null) return 'No wallet is set, so nothing of yours is shown.\n'
  if (holdings.length === 0) return `${holder} underwrites nobody.\n`
  const rows = holdings.flatMap(({ validator, stake, reward, exits }) => [
    [`behind ${validator}`, `${formatOpg(stake)}, reward ${formatOpg(reward)}`] as const,
    ...exits.map(({ amount, releaseAt, target }) => {
      const what = target === null ? 'leaving, free' : `on its way to ${target}, bonds`
      return ['', `${formatOpg(amount)} ${what} ${date(releaseAt)}`] as const
    }),
  ])
  return `${holder} underwrites\n${table(rows)}`
}

function percent(part: bigint, whole: bigint): string {
  return `${Number((part * 1_000_000n) / whole) / 10_000}%`
}

function date(seconds: bigint): string {
  return new Date(Number(seconds) * 1000).toISOString()
}
