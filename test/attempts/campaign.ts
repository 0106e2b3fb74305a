import type { Hex } from 'viem'
import {
  type Attacker,
  announceAll,
  claimCall,
  convicts,
  createAttackers,
  ENOUGH_GAS,
  proveCall,
  proveForReal,
} from './attackers.ts'
import { type Call, simulate } from './calls.ts'
import { knock } from './doors.ts'
import { type Alarms, createAlarms } from './falseAlarms.ts'
import type { Honest } from './honest.ts'
import { mutate, wordsOf } from './mutate.ts'
import { type Accusation, accuse } from './proofs.ts'
import { createRandom, type Random } from './random.ts'
import type { Target, World } from './world.ts'

/** What a campaign against the honest did. */
export type CampaignReport = {
  attempts: number
  /** Of them, those sent as transactions. */
  mined: number
  /** How often each refusal was heard, by its name. */
  refusals: Map<string, number>
  /** Attempts that went through, or that a judge found to hold: none, or the contracts are wrong. */
  convictions: { label: string; how: string; proof: Hex }[]
}

/** Parts of the attempts. */
const SHARE = { doors: 0.12, claims: 0.08, starved: 0.1, mined: 0.05 } as const
/** How often a proof is shown as it was written, without a mutation. */
const UNCHANGED = 0.3
const CHUNK = 500
const MOST_TRIES = 5000

type Attempt = { label: string; call: Call; accusation: Accusation | undefined }

/** Words of the target's own artefacts: what proofs are recombined from. */
export function dictionaryOf(target: Target, random: Random): string[] {
  const words = new Set<string>()
  for (let round = 0; round < 200; round++) {
    for (const word of wordsOf(accuse(target, random)?.proof ?? '0x')) words.add(word)
  }
  return [...words]
}

/** An accusation as written or mutated. */
export function nextAccusation(target: Target, random: Random, dictionary: readonly string[]): Accusation {
  for (;;) {
    const written = accuse(target, random)
    if (written === undefined) continue
    if (random.chance(UNCHANGED)) return written
    return {
      ...written,
      label: `${written.label}, mutated`,
      proof: mutate(written.proof, random, dictionary),
    }
  }
}

/**
 * Bears false witness against the honest, `attempts` times: most of it as simulated calls, a share as transactions whose
 * proofs were announced blocks before.
 */
export async function attack(
  world: World,
  honest: Honest,
  parameters: { attempts: number; seed: number; onProgress?: (done: number) => void },
): Promise<CampaignReport> {
  const random = createRandom(parameters.seed)
  const dictionary = dictionaryOf(honest, random)
  const attackers = await createAttackers(world)
  const alarms = createAlarms(world, honest, random)
  const report: CampaignReport = { attempts: 0, mined: 0, refusals: new Map(), convictions: [] }
  while (report.attempts < parameters.attempts) {
    const chunk = Array.from({ length: Math.min(CHUNK, parameters.attempts - report.attempts) }, () =>
      nextAttempt(world, honest, random, dictionary, random.pick(attackers)),
    )
    const outcomes = await simulate(
      world.rpcUrl,
      chunk.map(({ call }) => call),
    )
    for (const [at, { refused }] of outcomes.entries()) {
      const { label, accusation, call } = chunk[at] as Attempt
      note(report, refused)
      const through = accusation === undefined ? refused === undefined : convicts(refused)
      if (through) report.convictions.push({ label, how: refused ?? 'went through', proof: call.data })
    }
    await inEarnest(world, chunk, random, attackers, report)
    await raiseFalseAlarm(alarms, random.pick(attackers), report)
    report.attempts += chunk.length
    parameters.onProgress?.(report.attempts)
  }
  return report
}

function nextAttempt(
  world: World,
  honest: Honest,
  random: Random,
  dictionary: readonly string[],
  attacker: Attacker,
): Attempt {
  if (random.chance(SHARE.doors)) {
    const { label, to, data } = knock(world, honest, random)
    const call = { from: attacker.address, to, data, gas: ENOUGH_GAS }
    return { label, call, accusation: undefined }
  }
  const accusation = nextAccusation(honest, random, dictionary)
  const { label } = accusation
  if (random.chance(SHARE.claims)) {
    return { label, call: claimCall(world, attacker.address, accusation), accusation }
  }
  const gas = random.chance(SHARE.starved) ? BigInt(60_000 + random.below(2_000_000)) : ENOUGH_GAS
  return { label, call: proveCall(world, attacker.address, accusation, gas), accusation }
}

/** Sends a share of the accusations as transactions, each announced before. */
async function inEarnest(
  world: World,
  chunk: readonly Attempt[],
  random: Random,
  attackers: readonly Attacker[],
  report: CampaignReport,
): Promise<void> {
  const chosen = chunk.flatMap(({ accusation }) =>
    accusation !== undefined && random.chance(SHARE.mined)
      ? [{ accusation, by: random.pick(attackers) }]
      : [],
  )
  const work = attackers.map(async (attacker) => {
    const own = chosen.filter(({ by }) => by === attacker).map(({ accusation }) => accusation)
    await announceAll(world, attacker, own)
    const refusals = await Promise.all(own.map((one) => proveForReal(world, attacker.sender, one)))
    for (const [at, refused] of refusals.entries()) {
      const { label, proof } = own[at] as Accusation
      note(report, refused)
      report.mined += 1
      if (convicts(refused))
        report.convictions.push({ label, how: `mined: ${refused ?? 'went through'}`, proof })
    }
  })
  await Promise.all(work)
}

/** Demands a part of an honest batch, which is shown, and tries to have it both ways. */
async function raiseFalseAlarm(alarms: Alarms, attacker: Attacker, report: CampaignReport): Promise<void> {
  for (const { label, refused } of await alarms.raise(attacker)) {
    note(report, refused)
    report.attempts += 1
    if (refused === undefined) report.convictions.push({ label, how: 'went through', proof: '0x' })
  }
}

function note({ refusals }: CampaignReport, refused: string | undefined): void {
  const name = refused ?? 'went through'
  refusals.set(name, (refusals.get(name) ?? 0) + 1)
}

/** Points the same generator at a guilty party until a judge finds a proof to hold. @throws Error where none does */
export async function convict(
  world: World,
  guilty: Target,
  seed: number,
): Promise<{ accusation: Accusation; tries: number }> {
  const random = createRandom(seed)
  const dictionary = dictionaryOf(guilty, random)
  for (let tries = 0; tries < MOST_TRIES; tries += CHUNK) {
    const accusations = Array.from({ length: CHUNK }, () => nextAccusation(guilty, random, dictionary))
    const outcomes = await simulate(
      world.rpcUrl,
      accusations.map((one) => proveCall(world, world.contracts.OPG, one)),
    )
    const found = outcomes.findIndex(({ refused }) => convicts(refused))
    const accusation = accusations[found]
    if (accusation !== undefined) return { accusation, tries: tries + found + 1 }
  }
  throw new Error(`the generator did not convict ${guilty.name} in ${MOST_TRIES} tries`)
}
