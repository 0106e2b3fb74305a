import type { DatabaseSync } from 'node:sqlite'
import { AssayError } from '@assay/protocol'
import { type Hex, toHex } from 'viem'

/** How a fault is brought before the contracts. */
export type FaultPlan =
  /** Announced under the salt, then shown. The first proof shows the fault, the others more payers who lost by it. */
  | { kind: 'proof'; proofs: readonly Hex[]; salt: Hex }
  /** A part of the batch that cannot be had is demanded; unanswered it is the fault. */
  | { kind: 'demand'; part: number; index: bigint }
  /** The tapes beside the receipts at these places are demanded; unanswered that is the fault, and else judged, once. */
  | { kind: 'tapes'; places: readonly bigint[]; judged: boolean }

/** Where a job stands: what is known to be done, so that the rest may be looked up on chain. */
const OPEN_STATES = ['found', 'announced', 'unfunded', 'demanded', 'held', 'proven', 'executed'] as const
const END_STATES = [
  'collected', // proven by us, everybody punished, the proceeds withdrawn
  'outrun', // proven by somebody else
  'refuted', // the contracts do not take the proof
  'answered', // what was demanded was shown: the bond is lost
  'missed', // the batch ended before the part could be demanded
  'canary', // the batch was false on purpose, and exempt
  'guilty', // proving it would slash this very validator
] as const
export type FaultEnd = (typeof END_STATES)[number]
export type FaultState = (typeof OPEN_STATES)[number] | FaultEnd

export type FaultJob = {
  faultId: Hex
  faultClass: number
  batchId: Hex
  reason: string
  plan: FaultPlan
  state: FaultState
}

export type FaultJobs = {
  /** Writes a fault down before anything is sent about it. One that is known stays as it is. @returns whether it is new */
  add: (job: Omit<FaultJob, 'state'>) => boolean
  get: (faultId: Hex) => FaultJob | undefined
  /** Jobs that are not at an end. */
  open: () => FaultJob[]
  /** @throws AssayError `conflict` where the job has ended: it ends once */
  advance: (faultId: Hex, state: FaultState) => void
  /** Another plan from the beginning on, e.g. another part to demand. */
  restart: (faultId: Hex, plan: FaultPlan) => void
  counts: () => Partial<Record<FaultState, number>>
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS fault_job (
    deployment_id TEXT NOT NULL,
    fault_id TEXT NOT NULL,
    class INTEGER NOT NULL,
    batch_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    plan TEXT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (deployment_id, fault_id)
  ) STRICT;
`

const ENDED: ReadonlySet<string> = new Set(END_STATES)

/** 32 bytes that nobody guesses, so that an announcement does not say what it is of. */
export function freshSalt(): Hex {
  return toHex(crypto.getRandomValues(new Uint8Array(32)))
}

export function hasEnded(job: Pick<FaultJob, 'state'>): boolean {
  return ENDED.has(job.state)
}

/**
 * The faults that this validator found and what became of them, in its signing record: what was announced must not be
 * forgotten, for only its salt can show the proof.
 */
export function openFaultJobs(database: DatabaseSync, deploymentId: Hex): FaultJobs {
  database.exec(SCHEMA)
  const deployment = deploymentId.toLowerCase()
  const prepared = {
    add: database.prepare('INSERT OR IGNORE INTO fault_job VALUES (?, ?, ?, ?, ?, ?, ?)'),
    get: database.prepare('SELECT * FROM fault_job WHERE deployment_id = ? AND fault_id = ?'),
    all: database.prepare('SELECT * FROM fault_job WHERE deployment_id = ? ORDER BY rowid'),
    state: database.prepare('UPDATE fault_job SET state = ? WHERE deployment_id = ? AND fault_id = ?'),
    restart: database.prepare(
      "UPDATE fault_job SET plan = ?, state = 'found' WHERE deployment_id = ? AND fault_id = ?",
    ),
    counts: database.prepare(
      'SELECT state, count(*) AS n FROM fault_job WHERE deployment_id = ? GROUP BY state',
    ),
  }
  const get = (faultId: Hex): FaultJob | undefined => {
    const row = prepared.get.get(deployment, faultId)
    return row === undefined ? undefined : jobOf(row)
  }
  return {
    get,
    add({ faultId, faultClass, batchId, reason, plan }) {
      const { changes } = prepared.add.run(
        deployment,
        faultId,
        faultClass,
        batchId,
        reason,
        planText(plan),
        'found',
      )
      return changes > 0
    },
    open: () =>
      prepared.all
        .all(deployment)
        .map(jobOf)
        .filter((job) => !hasEnded(job)),
    advance(faultId, state) {
      const job = get(faultId)
      if (job === undefined || hasEnded(job)) {
        throw new AssayError('A fault that is settled is not taken up again.', {
          code: 'conflict',
          facts: { faultId, state: job?.state },
        })
      }
      prepared.state.run(state, deployment, faultId)
    },
    restart(faultId, plan) {
      prepared.restart.run(planText(plan), deployment, faultId)
    },
    counts: () =>
      Object.fromEntries(prepared.counts.all(deployment).map(({ state, n }) => [String(state), Number(n)])),
  }
}

function jobOf(row: Record<string, unknown>): FaultJob {
  return {
    faultId: row.fault_id as Hex,
    faultClass: row.class as number,
    batchId: row.batch_id as Hex,
    reason: row.reason as string,
    plan: readPlan(row.plan as string),
    state: row.state as FaultState,
  }
}

function planText(plan: FaultPlan): string {
  return JSON.stringify(plan, (_, value) => (typeof value === 'bigint' ? value.toString() : value))
}

function readPlan(text: string): FaultPlan {
  const plan = JSON.parse(text) as FaultPlan
  if (plan.kind === 'demand') return { ...plan, index: BigInt(plan.index) }
  return plan.kind === 'tapes' ? { ...plan, places: plan.places.map(BigInt) } : plan
}
