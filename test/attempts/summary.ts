import type { CampaignReport } from './campaign.ts'

/** What a campaign did, in lines for a human. */
export function summaryOf(
  { attempts, mined, refusals, convictions }: CampaignReport,
  seed: number,
  milliseconds: number,
): string {
  const heard = [...refusals]
    .sort(([, a], [, b]) => b - a)
    .map(([name, times]) => `  ${String(times).padStart(6)}  ${name}`)
  const first = `${attempts} attempts against the honest (seed ${seed}), ${mined} of them mined, in ${Math.round(milliseconds / 1000)} s`
  return [first, `${convictions.length} went through; what the contracts said:`, ...heard].join('\n')
}
