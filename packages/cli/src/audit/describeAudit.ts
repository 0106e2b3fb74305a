import type { BatchDemand, BatchVoice, FaultRecord } from '@assay/chain'
import { DATA_PART, FAULT_CLASS, formatOpg, VERDICT } from '@assay/protocol'
import { BATCH_STATE } from '@assay/verify'
import { zeroHash } from 'viem'
import { table } from '../output.ts'
import type { BatchAudit } from './auditBatch.ts'
import type { FileAudit } from './auditFile.ts'
import { isInTrouble } from './auditPayments.ts'
import { paymentRows } from './describePayments.ts'
import { faultWords } from './faultWords.ts'
import { date, many } from './words.ts'

type Rows = (readonly [string, string])[]

/** A batch in plain words: who committed it, who said what of it, how it ended, and what that cost whom. */
export function describeAudit(audit: BatchAudit): string {
  const { batchId, committer, height, committedAt, committedBlock, transactionHash, count, exposure } = audit
  const rows: Rows = [
    ['committed by', `${committer}, as its batch ${height}`],
    ['when', `${date(committedAt)}, block ${committedBlock}`],
    ['transaction', transactionHash],
    ['receipts', `${many(count, 'receipt')}, ${formatOpg(exposure)} at risk${worth(audit.file)}`],
    ['file', fileWords(audit.file)],
    ...voiceRows(audit.voices, audit.totalStake),
    ...audit.demands.map((demand) => ['demanded', demandWords(demand)] as const),
    ...feeRows(audit),
    ...canaryRows(audit),
    ...paymentRows(audit.money, audit.faults, isInTrouble(audit)),
  ]
  const faults = audit.faults.map(
    (fault) => `\nFault: ${faultWords(fault.faultClass)}\n${table(faultRows(fault))}`,
  )
  return `Batch ${batchId}\n${ending(audit)}\n${table(rows)}${faults.join('')}`
}

/** What was slashed for one fault, in a line for each who paid. */
export function describeSlashes(faults: readonly FaultRecord[], since: bigint): string {
  if (faults.length === 0) return `Nobody was slashed since block ${since}.\n`
  return faults
    .map((fault) => {
      const batch: Rows = fault.batchId === zeroHash ? [] : [['batch', fault.batchId]]
      return `${date(fault.provenAt)}  ${faultWords(fault.faultClass)}\n${table([...batch, ...faultRows(fault)])}`
    })
    .join('\n')
}

function ending({ state, faults, finalisedAt, voices, totalStake, quorumAt }: BatchAudit): string {
  const proven = faults.length > 0
  switch (state) {
    case BATCH_STATE.committed:
      return 'Waits for two thirds of the stake to speak.'
    case BATCH_STATE.attested:
      return `Two thirds of the stake called it valid at ${date(quorumAt)}; it may still be challenged.`
    case BATCH_STATE.final:
      return proven
        ? `Final since ${date(finalisedAt)}, and proven false: it stays final, and the guilty paid.`
        : `Final since ${date(finalisedAt)}: nothing can change it any more.`
    case BATCH_STATE.expired:
      return 'Expired: too little stake spoke in time. Its receipts may be batched again.'
    default: {
      const against = voices.filter(({ verdict }) => verdict === VERDICT.invalid)
      const stake = against.reduce((sum, voice) => sum + voice.stake, 0n)
      const why = [
        ...(stake * 3n >= totalStake * 2n ? ['two thirds of the stake called it invalid'] : []),
        ...(proven ? [isCanary(faults) ? 'it was false on purpose' : 'a fault was proven'] : []),
      ].join(', and ')
      return isCanary(faults)
        ? `Void: ${why}. No payer's money was in it.`
        : `Void: ${why}. Its honest receipts may be batched again.`
    }
  }
}

function isCanary(faults: readonly FaultRecord[]): boolean {
  return faults.some(({ faultClass }) => faultClass === FAULT_CLASS.canary)
}

function worth(file: FileAudit): string {
  return file.outcome === 'passed' ? `, worth ${formatOpg(file.sum)}` : ''
}

function fileWords(file: FileAudit): string {
  if (file.outcome === 'passed') {
    const parts = `${many(file.nodes.length, 'node')} for ${many(file.payers.length, 'payer')}`
    return `✓ as committed, receipts of ${parts}`
  }
  return file.outcome === 'failed' ? `✗ ${file.reason}` : `– not checked: ${file.reason}`
}

function voiceRows(voices: readonly BatchVoice[], totalStake: bigint): Rows {
  if (voices.length === 0) return [['attested', `by nobody, of ${formatOpg(totalStake)} staked`]]
  return voices.map(({ validator, verdict, stake }) => {
    const word = verdict === VERDICT.valid ? 'valid' : 'invalid'
    return [`called ${word}`, `by ${validator}, with ${formatOpg(stake)} of ${formatOpg(totalStake)}`]
  })
}

const PART_WORDS: Record<number, string> = {
  [DATA_PART.chunk]: 'chunk',
  [DATA_PART.receipt]: 'receipt',
  [DATA_PART.tape]: 'tape of receipt',
}
const DEMAND_WORDS = { open: 'not answered yet', shown: 'it was shown', withheld: 'nobody showed it' }

function demandWords({ part, index, challenger, bond, state }: BatchDemand): string {
  return `${PART_WORDS[part] ?? 'part'} ${index} by ${challenger} under a bond of ${formatOpg(bond)}: ${DEMAND_WORDS[state]}`
}

/** What a vote took from the committer, and who owes it to it. */
function feeRows({ voidFee, committer }: BatchAudit): Rows {
  const { charged, owed } = voidFee
  if (charged === 0n) return []
  const back =
    owed === undefined ? '' : `; ${formatOpg(owed.amount)} of it are owed to it by fault ${owed.faultId}`
  return [['fee', `${formatOpg(charged)} of ${committer}, for a batch that was voted void${back}`]]
}

const CANARY_WORDS = {
  revealed: 'for a while still anybody may show that real money was in it',
  spoiled: 'real money was in it, so it is a lie like any other',
  closed: 'its deposit is back',
}

/** Whose a batch was that was false on purpose, and who has its reward. */
function canaryRows({ canary, voices: heard }: BatchAudit): Rows {
  if (canary === null) return []
  const { sower, state, deposit, flagger, voices, burned } = canary
  const taken = voices.taken.reduce((sum, { amount }) => sum + amount, 0n)
  const against = heard.filter(({ verdict }) => verdict === VERDICT.invalid).length
  // What rounding leaves is nobody's.
  const left = voices.taken.length < against ? voices.reward - taken : 0n
  return [
    ['sown by', `${sower}, under a deposit of ${formatOpg(deposit)}: ${CANARY_WORDS[state]}`],
    ...(flagger === undefined
      ? []
      : [['reward', `${formatOpg(flagger.reward)} to ${flagger.account}, who proved it false`] as const]),
    ...voices.taken.map(
      ({ validator, amount }) =>
        ['reward', `${formatOpg(amount)} to ${validator}, who called it invalid`] as const,
    ),
    ...(left === 0n
      ? []
      : [['reward', `${formatOpg(left)} not taken yet, for who called it invalid`] as const]),
    ...(burned ? [['reward', 'burned: nobody noticed'] as const] : []),
  ]
}

function faultRows(fault: FaultRecord): Rows {
  const { proceeds } = fault
  const shared = proceeds.compensation + proceeds.bounty + proceeds.insured + proceeds.burned
  const left = proceeds.taken - shared
  return [
    // A canary's bounty is nobody's who looked: its sower has revealed it.
    fault.faultClass === FAULT_CLASS.canary
      ? ['revealed', date(fault.provenAt)]
      : ['proven by', `${fault.prover}, ${date(fault.provenAt)}`],
    ['transaction', fault.transactionHash],
    ['fault', fault.faultId],
    ...(fault.requestId === zeroHash
      ? []
      : [['shown by', `the receipt of request ${fault.requestId}`] as const]),
    ...fault.operators.map(
      ({ operator, taken }) => ['bond slashed', `${formatOpg(taken)} of ${operator}`] as const,
    ),
    ...fault.validators.map(
      ({ validator, taken }) => ['stake slashed', `${formatOpg(taken)} of ${validator}`] as const,
    ),
    ...fault.refunds.map(
      ({ requestId, payer, amount }) =>
        ['refunded', `${formatOpg(amount)} to ${payer}, for request ${requestId}`] as const,
    ),
    ...fault.claims.map(
      ({ requestId, payer, owed }) =>
        [
          'owed',
          requestId === fault.batchId
            ? `${formatOpg(owed)} to ${payer}, for the fee of its batch`
            : `${formatOpg(owed)} to ${payer}, for request ${requestId}`,
        ] as const,
    ),
    ...fault.compensated.map(
      ({ payer, amount }) => ['compensated', `${formatOpg(amount)} to ${payer}`] as const,
    ),
    ['proceeds', formatOpg(proceeds.taken)],
    ...(shared === 0n
      ? []
      : ([
          ['  bounty', `${formatOpg(proceeds.bounty)} to ${fault.prover}`],
          ['  insurance', formatOpg(proceeds.insured)],
          ['  burned', formatOpg(proceeds.burned)],
        ] as const)),
    ...(left === 0n
      ? []
      : [['  not shared yet', `${formatOpg(left)}, from ${date(fault.closesAt)} on`] as const]),
  ]
}
